// The live count beside the builder: asks after a pause, cancels the question that a later one supersedes, and tells
// screen readers the count alone.
export class Look {
  constructor(panel, texts, onError) {
    this.panel = panel;
    this.texts = texts;
    this.onError = onError;
    this.content = panel.querySelector("[data-content]");
    this.status = panel.querySelector("[role=status]");
  }

  wait(text, wrong = false) {
    clearTimeout(this.timer);
    this.request?.abort();
    this.say(text, wrong);
    this.content.replaceChildren();
  }

  /** `heard`: screen readers are told, and the panel shows the same in large. */
  say(text, wrong = false, heard = false) {
    this.status.textContent = text;
    this.status.classList.toggle("a-error", wrong);
    this.status.classList.toggle("n-visually-hidden", heard);
  }

  /** Looks at a written filter; without one, at the stored audience. */
  ask(filter, delay = 400) {
    clearTimeout(this.timer);
    this.request?.abort();
    this.timer = setTimeout(() => this.send(filter), delay);
  }

  async send(filter) {
    const request = (this.request = new AbortController());
    const body = new FormData();
    if (filter === undefined) body.set("audience", this.panel.dataset.audience);
    else {
      body.set("tenant", document.getElementById("id_tenant")?.value || this.panel.dataset.tenant);
      body.set("filter", filter);
    }
    body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    this.panel.setAttribute("aria-busy", "true");
    this.say(this.texts.counting);
    try {
      const answer = await fetch(this.panel.dataset.url, { method: "POST", body, signal: request.signal, redirect: "error" });
      if (answer.status === 400) return this.onError(await answer.json());
      if (!answer.ok) throw new Error(String(answer.status));
      this.content.innerHTML = await answer.text(); // rendered and escaped by the server
      this.say(this.content.querySelector("[data-headline]")?.dataset.headline ?? "", false, true);
    } catch (error) {
      if (error.name !== "AbortError") this.wait(this.texts.unavailable, true);
    } finally {
      if (this.request === request) this.panel.removeAttribute("aria-busy");
    }
  }
}
