// The outbox page. The address after # holds its state: channel, search, and the number of the open message.

const EVERY = 1500; // milliseconds between two looks for new messages
const SHOWN = 500; // lines of the list
const ICONS = {
  email: "M3 6h18v12H3z M3 7l9 6 9-6",
  sms: "M4 5h16v11H10l-4 4v-4H4z M8 9h8 M8 12h5",
  push: "M12 4a5 5 0 0 1 5 5v4l2 3H5l2-3V9a5 5 0 0 1 5-5z M10 19h4",
  chat: "M4 5h16v11h-8l-4 4v-4H4z",
};
const NAMES = { email: "Email", sms: "SMS", push: "Push", chat: "Chat" };
const SERVICES = { fcm: "FCM", apns: "APNs", webpush: "Web Push", expo: "Expo", hms: "HMS" };

const $ = (id) => document.getElementById(id);
let filter = { channel: "", search: "", message: 0 };
let messages = []; // newest first
let run, last = 0, firstLook = true, opened = 0, mail = null;
const unread = new Set();

function el(name, properties = {}, ...children) {
  const { className, ...attributes } = properties;
  const node = document.createElement(name);
  if (className) node.className = className;
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function icon(channel) {
  const box = el("span", { className: `icon ${channel}`, "aria-hidden": "true" });
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", ICONS[channel] ?? ICONS.chat);
  svg.append(path);
  box.append(svg);
  return box;
}

/** The services of push look alike: a badge tells them apart. */
const badge = (message) => message.channel === "push"
  ? el("span", { className: `service ${message.service}` }, SERVICES[message.service] ?? message.service) : null;
/** A data message shows nothing on the device. */
const headline = (message) => message.title || (message.text ? "" : "Data only: the device shows nothing");
/** Where a message went: a topic reaches devices that only Google knows. */
const whereTo = (message) => message.push?.topic
  ? `${message.address.startsWith("/topics/") ? "topic " : "condition "}${message.address.replace("/topics/", "")}` : message.address;
const name = (channel) => NAMES[channel] ?? channel;
const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const moment = (at) => new Date(at * 1000).toLocaleString();
const size = (bytes) => bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1048576).toFixed(1)} MB`;

// ---- state in the address ----

function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  return { channel: values.get("channel") ?? "", search: values.get("search") ?? "", message: Number(values.get("message")) || 0 };
}

function address(changes) {
  const values = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...filter, ...changes })) if (value) values.set(key, value);
  return `#${values}`;
}

async function get(path, values = {}) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  const answer = await fetch(`/_outbox/messages${path}?${query}`, { signal: AbortSignal.timeout(15000) });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.json();
}

// ---- the list ----

async function look() {
  const asked = address({ message: 0 });
  try {
    const answer = await get("", { channel: filter.channel, search: filter.search, after: messages.length ? last : 0 });
    if (asked !== address({ message: 0 })) return; // the person chose another filter meanwhile
    if (answer.run !== run) {
      if (run !== undefined) { messages = []; unread.clear(); if (filter.message) location.hash = address({ message: 0 }); }
      run = answer.run;
    }
    take(answer);
    $("state").className = "";
    $("state").textContent = "live";
  } catch {
    $("state").className = "lost";
    $("state").textContent = "the sandbox does not answer";
  }
}

function take(answer) {
  const known = new Set(messages.map((message) => message.number));
  const fresh = answer.messages.filter((message) => !known.has(message.number));
  if (!firstLook) for (const message of fresh) unread.add(message.number);
  firstLook = false;
  last = answer.last;
  const kept = fresh.length < 50 ? messages : []; // older ones may be missing between: they load again
  messages = [...fresh, ...kept].sort((a, b) => b.number - a.number).slice(0, SHOWN);
  showChannels(answer.channels);
  if (fresh.length || !messages.length) showList();
  const current = messages.find((message) => message.number === opened);
  if (current && current.channel !== "email" && fresh.some((message) => message.address === current.address)) open(opened);
}

function showChannels(counts) {
  const shown = ["", ...Object.keys(counts).sort()];
  if (filter.channel && !shown.includes(filter.channel)) shown.push(filter.channel);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const focused = document.activeElement?.dataset?.channel;
  $("channels").replaceChildren(...shown.map((channel) => {
    const button = el("button", { type: "button", "aria-pressed": String(channel === filter.channel), onclick: () => { location.hash = address({ channel, message: 0 }); } },
      channel ? name(channel) : "All", el("small", {}, String(channel ? counts[channel] ?? 0 : total)));
    button.dataset.channel = channel;
    return button;
  }));
  if (focused !== undefined) $("channels").querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
}

function line(message) {
  const title = message.title || message.text.slice(0, 120) || (message.channel === "push" ? headline(message) : "(no subject)");
  return el("li", { className: unread.has(message.number) ? "new" : "" },
    el("a", { href: address({ message: message.number }), "aria-current": String(message.number === filter.message) },
      icon(message.channel),
      el("span", { className: "title" }, message.inbound ? `↩ ${title}` : title),
      el("time", { title: moment(message.at) }, clock(message.at)),
      el("span", { className: "address" }, badge(message), whereTo(message))));
}

function showList() {
  const list = $("scroll"), at = list.scrollTop, height = list.scrollHeight;
  $("messages").replaceChildren(...messages.map(line));
  if (at > 0) list.scrollTop = at + list.scrollHeight - height; // what a person reads stays where it is
  $("older").hidden = messages.length < 50 || messages.length >= SHOWN;
  $("empty").hidden = messages.length > 0;
  $("empty").textContent = filter.channel || filter.search ? "No message here." : "No message has arrived yet. Messages to the sandbox appear here by themselves.";
}

async function older() {
  const answer = await get("", { channel: filter.channel, search: filter.search, before: messages.at(-1)?.number });
  messages = [...messages, ...answer.messages].slice(0, SHOWN);
  showList();
  $("older").hidden ||= answer.messages.length < 50;
}

// ---- one message ----

async function open(number) {
  opened = number;
  document.body.classList.toggle("reading", number > 0);
  if (!number) { hint("Choose a message."); return; }
  unread.delete(number);
  try {
    const message = await get(`/${number}`);
    const talk = message.channel === "email" ? [] : (await get("", { channel: message.channel, address: message.address, limit: 100 })).messages;
    if (opened !== number) return;
    document.title = `${message.title || message.text.slice(0, 60) || message.address} – Outbox`;
    if (message.channel === "email") showMail(message);
    else if (message.channel === "push") showLockScreen(message, talk);
    else showTalk(message, talk.reverse());
  } catch (error) {
    if (opened === number) hint(error.message);
  }
}

function hint(text) {
  $("reader").replaceChildren(back(), el("p", { className: "hint" }, text));
  document.title = "Outbox";
}

const back = () => el("a", { className: "back", href: address({ message: 0 }) }, "← All messages");

function showMail(message) {
  mail = { message, tab: message.html ? "html" : "text", narrow: mail?.narrow ?? false, images: false };
  drawMail();
}

function drawMail() {
  const { message, tab, narrow } = mail;
  const tabs = [["html", "HTML", message.html], ["text", "Text", message.text], ["headers", "Headers", message.headers.length],
    ["source", "Source", message.source], ["files", `Attachments ${message.attachments.length}`, message.attachments.length]];
  const bar = el("div", { className: "tabs", role: "tablist", "aria-label": "Parts of the mail" },
    ...tabs.filter(([, , there]) => there).map(([key, label]) =>
      el("button", { type: "button", role: "tab", "aria-selected": String(key === tab), onclick: () => { mail.tab = key; drawMail(); } }, label)),
    el("span", { className: "tools" },
      tab === "html" ? el("button", { type: "button", className: "width", "aria-pressed": String(narrow), onclick: () => { mail.narrow = !narrow; drawMail(); } }, "Phone width") : null,
      el("a", { href: `/_outbox/messages/${message.number}/source`, download: "" }, "Download")));
  $("reader").replaceChildren(back(), letterHead(message), bar, ...panel(message));
}

function letterHead(message) {
  const header = (wanted) => message.headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
  const unsubscribe = /<(https?:[^>]+)>/.exec(header("list-unsubscribe") ?? "")?.[1];
  const rows = [["From", message.sender], ["To", header("to") ?? message.address], ["Reply to", header("reply-to")],
    ["Arrived", `${moment(message.at)} · ${size(message.size)} · ${message.service}`],
    ["Unsubscribe", unsubscribe && el("a", { href: unsubscribe, target: "_blank", rel: "noreferrer noopener" },
      header("list-unsubscribe-post") ? "by one click or on its page" : "on its page")]];
  return el("div", { className: "letter" }, el("h2", {}, message.title || "(no subject)"),
    el("dl", {}, ...rows.filter(([, value]) => value).flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)])));
}

function panel(message) {
  switch (mail.tab) {
    case "html": {
      const frame = el("iframe", { title: "The mail", sandbox: "allow-popups allow-popups-to-escape-sandbox", referrerpolicy: "no-referrer",
        src: `/_outbox/messages/${message.number}/html${mail.images ? "?images=1" : ""}`, className: mail.narrow ? "narrow" : "" });
      const blocked = message.remote_images && !mail.images
        ? el("p", { className: "warning" }, `Remote images are blocked (${message.remote_images}). A sender can see when they are loaded.`,
          el("button", { type: "button", onclick: () => { mail.images = true; drawMail(); } }, "Load images")) : null;
      return [blocked, el("div", { className: "panel" }, frame)].filter(Boolean);
    }
    case "text": return [el("pre", { className: "letter-text" }, ...linked(message.text))];
    case "headers": return [el("table", { className: "headers" }, el("tbody", {}, ...message.headers.map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, value)))))];
    case "source": return [el("pre", {}, pretty(message.source))];
    default: return [el("ul", { className: "files" }, ...message.attachments.map((file, index) => el("li", {},
      el("a", { href: `/_outbox/messages/${message.number}/attachments/${index}`, download: file.name }, el("span", {}, file.name),
        el("small", {}, `${file.type} · ${size(file.size)}${file.inline ? " · inline" : ""}`)))))];
  }
}

function showTalk(message, talk) {
  const bubble = (each) => el("li", { className: `${each.inbound ? "inbound" : ""} ${each.number === message.number ? "opened" : ""}` },
    el("p", { className: "bubble" }, ...(each.title ? [el("strong", {}, each.title), "\n"] : []), ...linked(each.text)),
    el("time", { title: moment(each.at) }, `${clock(each.at)}${each.sender && !each.inbound ? ` · from ${each.sender}` : ""}`));
  $("reader").replaceChildren(back(),
    el("div", { className: "phone talk" }, el("h2", {}, message.address, el("small", {}, `${name(message.channel)} · ${message.service}`)), el("ol", { className: "bubbles" }, ...talk.map(bubble)),
      message.channel === "sms" ? replyForm(message) : null),
    more(message));
  $("reader").querySelector(".opened")?.scrollIntoView({ block: "nearest" });
}

function replyForm(message) {
  const field = el("input", { type: "text", placeholder: "Answer, such as STOP", "aria-label": "Answer as the owner of this number", maxlength: 1600, autocomplete: "off" });
  const problem = el("p", { role: "alert", className: "problem" });
  const send = async (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    const answer = await fetch("/_outbox/reply", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ number: message.address, text: field.value.trim() }) });
    problem.textContent = answer.ok ? "" : (await answer.json()).error;
    if (answer.ok) { field.value = ""; await look(); await open(opened); }
  };
  return el("form", { className: "reply", onsubmit: send }, field, el("button", { type: "submit" }, "Send"), problem);
}

function showLockScreen(message, talk) {
  const at = new Date(message.at * 1000);
  const card = (each) => el("article", { className: `card ${each.number === message.number ? "opened" : ""}` },
    el("strong", {}, headline(each)), el("time", { title: moment(each.at) }, clock(each.at)), each.text ? el("p", {}, each.text) : null,
    each.image ? el("p", { className: "extra" }, "Image: ", ...linked(each.image)) : null,
    each.link ? el("p", { className: "extra" }, "Opens ", ...linked(each.link)) : null,
    each.push.sound || each.push.badge ? el("p", { className: "extra" }, [each.push.badge && `Badge ${each.push.badge}`, each.push.sound && `Sound ${each.push.sound}`].filter(Boolean).join(" · ")) : null,
    each.push.data.length ? el("dl", { className: "data" }, ...each.push.data.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)])) : null);
  $("reader").replaceChildren(back(),
    el("div", { className: "phone lock" },
      el("p", { className: "clock" }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }), el("small", { title: message.address }, badge(message), whereTo(message)),
        message.push.topic ? el("small", {}, "once, for all devices that Google has subscribed") : null),
      ...talk.map(card)),
    more(message));
}

function more(message) {
  const facts = [["Delivery", message.delivery], ["Service", SERVICES[message.service] ?? message.service], ["Address", message.address], ["Arrived", moment(message.at)], ...message.headers];
  return el("details", { className: "more" }, el("summary", {}, "Details and source"),
    el("table", { className: "headers" }, el("tbody", {}, ...facts.filter(([, value]) => value).map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, value))))),
    el("pre", {}, pretty(message.source)));
}

function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]])/).map((part, index) =>
    index % 2 ? el("a", { href: part, target: "_blank", rel: "noreferrer noopener" }, part) : part);
}

function pretty(source) {
  if (!/^[[{]/.test(source)) return source;
  try { return JSON.stringify(JSON.parse(source), null, 2); } catch { return source; }
}

// ---- start ----

async function onAddress() {
  const before = filter;
  filter = readAddress();
  if ($("search").value !== filter.search) $("search").value = filter.search;
  if (before.channel !== filter.channel || before.search !== filter.search) { messages = []; firstLook = true; await look(); }
  if (filter.message !== opened || !filter.message) await open(filter.message);
  showList();
}

let typing;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { location.hash = address({ search: $("search").value.trim(), message: 0 }); }, 250);
});
$("older").addEventListener("click", older);
addEventListener("hashchange", onAddress);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });

await look();
await onAddress();
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, EVERY));
  if (!document.hidden) await look();
}
