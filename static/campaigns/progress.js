"use strict";
// Live figures of a campaign, the countdown of a held launch, and the outcome of a test send. Polls after a second, or after
// ten times what the answer took: counting a million rows costs a third of a second, and a page must take at most a tenth of
// what the senders need.
(() => {
  const format = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const duration = (s) => s === null ? "–" : s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;

  function show(panel, progress) {
    for (const place of panel.querySelectorAll("[data-show]")) {
      const name = place.dataset.show;
      const value = progress[name];
      place.textContent = typeof value === "string" ? value || "none" : name === "seconds" ? duration(value) : value === null ? "–" : format.format(value);
    }
    const bar = panel.querySelector("[data-bar]");
    const expected = Number(panel.dataset.expected);
    if (bar) bar.value = progress.state === "arming" && expected ? (100 * progress.processed) / expected : progress.percent;
  }

  async function poll(panel) {
    const began = performance.now();
    try {
      const answer = await fetch(panel.dataset.progress, { headers: { Accept: "application/json" }, redirect: "error" });
      if (answer.ok) {
        const progress = await answer.json();
        const { state, halted } = panel.dataset;
        if (progress.state !== state || progress.halted !== halted) return window.location.assign(window.location.pathname);
        show(panel, progress);
      } else if (answer.status < 500) return;
    } catch (error) {
      if (error instanceof SyntaxError) return;
    }
    setTimeout(poll, Math.max(1000, 10 * (performance.now() - began)), panel);
  }

  // seconds until a held launch leaves, counted by the browser's clock from what the page said
  function countDown(place, until) {
    const left = Math.max(0, (until - performance.now()) / 1000);
    place.textContent = left ? `${left.toFixed(1)} s` : "a moment";
    if (left) setTimeout(countDown, 100, place, until);
  }

  // the deliveries of a test send, until each is final
  async function pollOutcomes(list) {
    if (!list.querySelector("[data-outcome]:not([data-final])")) return;
    const answer = await fetch(list.dataset.outcomes, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!answer.ok) return;
    for (const outcome of (await answer.json()).outcomes) {
      const place = list.querySelector(`[data-outcome="${outcome.id}"]`);
      if (!place) continue;
      place.textContent = outcome.reason ? `${outcome.status} (${outcome.reason})` : outcome.status;
      place.className = `status status-${outcome.status}`;
      if (outcome.final) place.dataset.final = "";
    }
    setTimeout(pollOutcomes, 1000, list);
  }

  for (const panel of document.querySelectorAll("[data-progress]")) poll(panel);
  for (const list of document.querySelectorAll("[data-outcomes]")) pollOutcomes(list);
  for (const place of document.querySelectorAll("[data-left]")) {
    countDown(place, performance.now() + 1000 * Number(place.dataset.left));
  }
  // a second click while the first is under way would change nothing
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", () => setTimeout(() => { form.querySelector("button").disabled = true; }));
  }
})();
