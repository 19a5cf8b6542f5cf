// The launch page: parts of the page come over a WebSocket, or are polled once a second while the socket is lost. Both ways
// bring the same markup, made by the server from the templates of the page.
const SENTENCE_MS = 10_000, POLL_MS = 1_000, PING_MS = 25_000, LONGEST_RETRY_MS = 15_000;
const panel = document.querySelector("[data-live]");

let socket = null, retryMs = 1_000, saidAt = -SENTENCE_MS, over = false;
// a poll of an earlier loss of the socket must not go on beside that of a later one
let isPolling = false, round = 0;

function show(frame) {
  if (frame.state !== panel.dataset.state || frame.halted !== panel.dataset.halted) {
    over = true;
    return window.location.assign(window.location.pathname);
  }
  for (const [name, markup] of Object.entries(frame.parts)) {
    if (name === "plot") showPlot(markup);
    else for (const place of panel.querySelectorAll(`[data-live-part="${name}"]`)) place.innerHTML = markup;
  }
  panel.querySelector("[data-live-percent]").value = frame.percent;
  panel.querySelector("[data-live-percent-text]").textContent = `${frame.percent} %`;
  if (performance.now() - saidAt > SENTENCE_MS) {
    saidAt = performance.now();
    panel.querySelector("[data-live-sentence]").textContent = frame.sentence;
  }
}

// the first messages bring a plot where the page had none: the page then needs its title and its button, too
function showPlot(markup) {
  const place = panel.querySelector("[data-live-figure] [data-plot-svg]");
  if (place) place.innerHTML = markup;
  else if (!over) { over = true; window.location.reload(); }
}

function open() {
  if (over) return;
  const url = new URL(panel.dataset.socket, window.location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  let pings = 0;
  socket.addEventListener("open", () => {
    retryMs = 1_000;
    stopPolling();
    pings = setInterval(() => socket.send('{"type":"ping"}'), PING_MS);
  });
  socket.addEventListener("message", (event) => {
    const frame = JSON.parse(event.data);
    if (frame.type === "figures") show(frame);
  });
  socket.addEventListener("close", () => {
    clearInterval(pings);
    if (over) return;
    startPolling();
    setTimeout(open, retryMs);
    retryMs = Math.min(LONGEST_RETRY_MS, 2 * retryMs);
  });
}

function startPolling() {
  panel.querySelector("[data-live-lost]").hidden = false;
  if (isPolling) return;
  isPolling = true;
  poll(++round);
}

function stopPolling() {
  panel.querySelector("[data-live-lost]").hidden = true;
  isPolling = false;
}

async function poll(own) {
  if (!isPolling || own !== round || over) return;
  try {
    const answer = await fetch(panel.dataset.live, { headers: { Accept: "application/json" }, redirect: "manual" });
    if (answer.ok) show(await answer.json());
    else if (answer.type === "opaqueredirect" || (answer.status >= 400 && answer.status < 500)) return end();
  } catch (error) {
    // the network is away, or the answer is no JSON: the next round asks again
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
  }
  setTimeout(poll, POLL_MS, own);
}

function end() {
  over = true;
  socket?.close();
  panel.querySelector("[data-live-lost]").hidden = true;
  panel.querySelector("[data-live-ended]").hidden = false;
}

if (panel) {
  window.addEventListener("pagehide", () => { over = true; socket?.close(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
  open();
}
