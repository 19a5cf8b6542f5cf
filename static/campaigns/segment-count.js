"use strict";
// How many recipients the filter of a segment finds, while it is typed. Asks half a second after the last key.
(() => {
  const filter = document.getElementById("id_filter");
  const script = document.querySelector("script[data-count]");
  if (!filter || !script) return;
  const place = document.createElement("output");
  place.id = "segment-count";
  place.className = "help";
  place.setAttribute("for", filter.id);
  place.setAttribute("aria-live", "polite");
  filter.after(place);
  const tenant = () => document.getElementById("id_tenant")?.value || script.dataset.tenant;
  const people = (n) => `${new Intl.NumberFormat("en").format(n)} ${n === 1 ? "person" : "people"} now`;
  let timer, last = "", asked = 0;

  async function count() {
    const mine = ++asked;
    last = `${tenant()} ${filter.value}`;
    const body = new FormData();
    body.set("tenant", tenant());
    body.set("filter", filter.value);
    body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    let text = "The count is not available now.";
    try {
      const answer = await fetch(script.dataset.count, { method: "POST", body, redirect: "error" });
      if (answer.ok || answer.status === 400) {
        const { reaches, error } = await answer.json();
        text = error ?? people(reaches);
      }
    } catch { /* the text above says it */ }
    if (mine === asked) place.textContent = text;
  }

  function later() {
    clearTimeout(timer);
    if (`${tenant()} ${filter.value}` === last) return;
    if (!filter.value.trim() || filter.value.trim() === "[]") return void (place.textContent = "");
    timer = setTimeout(count, 500);
  }
  filter.addEventListener("input", later);
  document.getElementById("id_tenant")?.addEventListener("change", later);
  later();
})();
