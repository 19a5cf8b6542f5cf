// The template composer: tabs, completion of recipients, mistakes and preview while a person types. The page works
// without this module; every button that changes the editor is a form that the server answers with the whole page.
import { showFrames } from "./frames.js";

const PACKED = /^(?:part|key|value|file):|^has$/;
const WAIT = 500;

class Composer {
  constructor(root) {
    this.root = root;
    this.form = root.closest("form");
    this.texts = root.querySelector(".composer__texts").dataset;
    this.variables = JSON.parse(root.querySelector("#composer-variables").textContent);
    this.editors = new Map();
    this.uploads = new WeakMap();
    this.asked = 0;
    root.classList.add("is-live");
    this.listen();
    this.activate(this.value("channel"), this.value("locale"));
    this.addPictures();
    showFrames(root, root.dataset.page, this.token());
    this.loadEditors();
    if (this.root.querySelector(".composer__locale")) this.look();
  }

  value(name) { return this.root.querySelector(`input[name="${name}"]`).value; }
  token() { return this.form.querySelector("[name=csrfmiddlewaretoken]").value; }
  field(where) { return this.root.querySelector(`[name="part:${CSS.escape(where)}"]`) ?? this.root.querySelector(`[name="part:${where}"]`); }
  mistakesOf(where) { return [...this.root.querySelectorAll("[data-mistakes]")].find((each) => each.dataset.mistakes === where); }

  listen() {
    this.root.addEventListener("input", (event) => {
      if (event.target.name === "preview_recipient") return this.findPeople();
      if (event.target.matches("[name=recipient], [name=note], [name^=add_], [type=file]")) return;
      if (event.target.name !== "preview_data") dirty = true;
      this.later();
    });
    this.root.addEventListener("change", (event) => {
      if (event.target.type !== "file") return;
      event.stopPropagation(); // the theme's listener expects a field of the theme beside it
      this.uploads.get(event.target)?.();
    }, true);
    this.root.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (!tab) return;
      this.activate(tab.dataset.channel ?? this.value("channel"), tab.dataset.locale ?? "");
      this.look();
    });
    this.root.addEventListener("keydown", (event) => {
      if (event.target.getAttribute("role") === "tab") this.moveBetweenTabs(event);
      if (event.target.name === "preview_recipient") this.chooseByKey(event);
      if (event.key === "Enter" && event.target.matches("input:not([type=file])") && !event.defaultPrevented) {
        event.preventDefault(); // the first button of the form would answer
        const button = event.target.closest(".composer__add, .composer__send")?.querySelector("button");
        if (button) button.click(); else if (event.target.name === "preview_recipient") this.look("");
      }
    });
    const person = this.root.querySelector("#composer-person");
    person.addEventListener("blur", () => setTimeout(() => this.closePeople(), 200));
    person.addEventListener("change", () => setTimeout(() => { if (!this.chosen) this.look(""); this.chosen = false; }, 250));
  }

  // ---- channels and locales ----

  activate(channel, locale) {
    const panels = [...this.root.querySelectorAll(".composer__panel")];
    const panel = panels.find((each) => each.dataset.channel === channel) ?? panels[0];
    if (!panel) return;
    const locales = [...panel.querySelectorAll(".composer__locale")];
    const own = locales.find((each) => each.dataset.locale === (locale || panel.dataset.active)) ?? locales[0];
    panel.dataset.active = own?.dataset.locale ?? "";
    for (const each of panels) each.hidden = each !== panel;
    for (const each of locales) each.hidden = each !== own;
    this.mark(this.root.querySelector(".composer__tabs"), (tab) => tab.dataset.channel === panel.dataset.channel);
    this.mark(panel.querySelector(".composer__pills"), (tab) => tab.dataset.locale === own?.dataset.locale);
    this.root.querySelector("input[name=channel]").value = panel.dataset.channel;
    this.root.querySelector("input[name=locale]").value = panel.dataset.active;
    this.openEditors();
  }

  mark(list, isChosen) {
    for (const tab of list?.querySelectorAll("[role=tab]") ?? []) {
      tab.setAttribute("aria-selected", isChosen(tab));
      tab.tabIndex = isChosen(tab) ? 0 : -1;
    }
  }

  moveBetweenTabs(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const tabs = [...event.target.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.click();
    next.focus();
  }

  // ---- mistakes and preview ----

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), WAIT);
  }

  data(locale) {
    const data = new FormData(this.form);
    for (const name of ["uploads", "import_file"]) data.delete(name);
    if (locale !== undefined) data.set("locale", locale);
    return data;
  }

  // `locale`: the empty text asks for the recipient's own, and the editor then shows that one
  async look(locale) {
    clearTimeout(this.timer);
    const number = ++this.asked;
    const place = this.root.querySelector("#composer-preview");
    let answer;
    try {
      const response = await fetch(this.root.dataset.live, { method: "POST", body: this.data(locale), redirect: "error" });
      answer = await response.json();
    } catch {
      answer = { error: this.texts.offline };
    }
    if (number !== this.asked || !this.root.isConnected) return;
    if (answer.error) {
      const note = document.createElement("p");
      note.className = "n-note n-note--bad";
      note.textContent = answer.error;
      place.replaceChildren(note);
      return;
    }
    if (locale === "" && answer.locale && answer.locale !== this.value("locale")) this.activate(this.value("channel"), answer.locale);
    place.innerHTML = answer.preview;
    showFrames(place, this.root.dataset.page, this.token());
    for (const name of answer.variables) {
      const root = name.split(/[.[]/)[0];
      if (!this.variables.data.includes(root)) this.variables.data.push(root);
    }
    this.showMistakes(answer.mistakes);
  }

  showMistakes(mistakes) {
    const where = `${this.value("channel")}:${this.value("locale")}`;
    for (const place of this.root.querySelectorAll("[data-mistakes]")) {
      if (place.dataset.mistakes === where || place.dataset.mistakes.startsWith(`${where}:`)) place.replaceChildren();
    }
    const places = new Map();
    for (const mistake of mistakes) {
      const place = this.mistakesOf(mistake.where) ?? this.mistakesOf(where);
      if (!place) continue;
      const text = document.createElement("p");
      text.className = "n-error";
      if (mistake.line) {
        const at = document.createElement("b");
        at.textContent = this.texts.line.replace("%(line)s", mistake.line).replace("%(column)s", mistake.column);
        text.append(at, " ");
        places.set(mistake.where, [...(places.get(mistake.where) ?? []), mistake]);
      }
      text.append(mistake.key ? `${mistake.key}: ${mistake.message}` : mistake.message);
      place.append(text);
    }
    for (const [field, editor] of this.editors) editor.markMistakes(places.get(field.name.slice("part:".length)) ?? []);
  }

  // ---- editors ----

  async loadEditors() {
    this.module = await import(this.root.dataset.editor);
    this.openEditors();
  }

  openEditors() {
    if (!this.module) return;
    for (const field of this.root.querySelectorAll(".composer__locale:not([hidden]) [data-liquid]")) {
      if (!field.dataset.liquid || this.editors.has(field) || field.readOnly || field.closest("[hidden]")) continue;
      if (field.getAttribute("list")) continue; // the browser offers its texts
      this.editors.set(field, this.module.openEditor(field, this.variables, this.texts));
    }
  }

  // ---- pictures ----

  addPictures() {
    for (const field of this.root.querySelectorAll("[data-image], [data-liquid=html]")) {
      if (field.readOnly) continue;
      const label = document.createElement("label");
      label.className = "composer__upload n-link";
      label.textContent = this.texts.pictureOf;
      const file = document.createElement("input");
      Object.assign(file, { type: "file", accept: "image/png,image/jpeg,image/gif,image/webp", className: "n-visually-hidden" });
      label.append(file);
      const status = document.createElement("span");
      status.setAttribute("role", "status");
      status.className = "n-help";
      const place = document.createElement("div");
      place.append(label, " ", status);
      field.closest(".n-field").append(place);
      this.uploads.set(file, () => this.upload(file, field, status));
    }
  }

  async upload(file, field, status) {
    if (!file.files.length) return;
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.token());
    for (const name of ["template", "tenant"]) {
      const value = this.form.querySelector(`[name="${name}"]`)?.value;
      if (value) body.set(name, value);
    }
    body.set("picture", file.files[0]);
    status.textContent = "…";
    try {
      const answer = await (await fetch(this.root.dataset.picture, { method: "POST", body, redirect: "error" })).json();
      if (answer.error) return void (status.textContent = answer.error);
      const isPage = field.dataset.liquid === "html";
      const text = !isPage ? answer.url : /<mjml[\s>]/.test(field.value) ? `<mj-image src="${answer.url}" alt=""></mj-image>` : `<img src="${answer.url}" alt="">`;
      const editor = this.editors.get(field);
      if (editor) editor.insert(text, !isPage);
      else {
        field.value = isPage ? field.value + text : text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }
      status.textContent = this.texts.uploaded;
    } catch {
      status.textContent = this.texts.offline;
    } finally {
      file.value = "";
    }
  }

  // ---- recipients ----

  findPeople() {
    clearTimeout(this.peopleTimer);
    this.peopleTimer = setTimeout(async () => {
      const person = this.root.querySelector("#composer-person");
      const term = person.value.trim();
      if (term.length < 2) return this.closePeople();
      const query = new URLSearchParams({ q: term });
      for (const name of ["template", "tenant"]) {
        const value = this.form.querySelector(`[name="${name}"]`)?.value;
        if (value) query.set(name, value);
      }
      let people = [];
      try {
        people = (await (await fetch(`${this.root.dataset.people}?${query}`, { redirect: "error" })).json()).people ?? [];
      } catch { /* the list stays empty, and says so */ }
      if (person.value.trim() === term) this.showPeople(people);
    }, 250);
  }

  showPeople(people) {
    const list = this.root.querySelector("#composer-people");
    list.replaceChildren(...people.map((each, number) => {
      const option = document.createElement("li");
      option.id = `composer-people-${number}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.id = each.id;
      const name = document.createElement("b");
      name.textContent = each.name || each.id;
      const detail = document.createElement("span");
      detail.className = "n-muted";
      detail.textContent = [each.name && each.id, each.detail].filter(Boolean).join(" · ");
      option.append(name, " ", detail);
      option.addEventListener("mousedown", (event) => { event.preventDefault(); this.choose(each.id); });
      return option;
    }));
    if (!people.length) {
      const none = document.createElement("li");
      none.textContent = this.texts.noPeople;
      none.setAttribute("role", "option");
      none.setAttribute("aria-selected", "false");
      none.setAttribute("aria-disabled", "true");
      list.append(none);
    }
    list.hidden = false;
    this.root.querySelector("#composer-person").setAttribute("aria-expanded", "true");
  }

  chooseByKey(event) {
    const options = [...this.root.querySelectorAll("#composer-people [data-id]")];
    const at = options.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (event.key === "Escape") return this.closePeople();
    const list = this.root.querySelector("#composer-people");
    if (list.hidden || !options.length) return;
    if (event.key === "Enter") {
      event.preventDefault();
      return this.choose(options[Math.max(at, 0)].dataset.id);
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = options[(at + step + options.length) % options.length];
    for (const each of options) each.setAttribute("aria-selected", each === next);
    event.target.setAttribute("aria-activedescendant", next.id);
  }

  choose(id) {
    const person = this.root.querySelector("#composer-person");
    person.value = id;
    this.chosen = true;
    this.closePeople();
    this.look("");
  }

  closePeople() {
    const list = this.root.querySelector("#composer-people");
    if (list) list.hidden = true;
    const person = this.root.querySelector("#composer-person");
    person?.setAttribute("aria-expanded", "false");
    person?.removeAttribute("aria-activedescendant");
  }

  // ---- buttons ----

  // the answer is the whole page; only the editor is taken from it
  async compose(button) {
    const data = new FormData(this.form);
    data.set(button.name, button.value);
    if (button.value !== "import") data.delete("uploads");
    let page;
    try {
      const response = await fetch(location.href, { method: "POST", body: data, redirect: "error" });
      page = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#composer");
    } catch { /* below */ }
    if (!page) {
      const sent = document.createElement("input");
      Object.assign(sent, { type: "hidden", name: button.name, value: button.value });
      this.form.append(sent);
      leaving = true;
      return this.form.submit();
    }
    dirty = true;
    this.root.replaceWith(document.adoptNode(page));
    const next = new Composer(page);
    current = next;
    (page.querySelector(".composer__panel:not([hidden]) .composer__pills [aria-selected=true]") ?? page.querySelector("[role=tab]") ?? page.querySelector("button"))?.focus();
  }

  async send(button) {
    const place = this.root.querySelector("#composer-sent");
    place.textContent = this.texts.sending;
    button.disabled = true;
    let lines;
    try {
      const response = await fetch(button.formAction, { method: "POST", body: this.data(), headers: { Accept: "application/json" }, redirect: "error" });
      const answer = await response.json();
      lines = answer.error ? [answer.error] : answer.outcomes;
      if (!answer.error && dirty) lines.push(this.texts.unsaved);
      place.className = answer.error ? "n-note n-note--bad" : "n-note n-note--info";
    } catch {
      lines = [this.texts.offline];
      place.className = "n-note n-note--bad";
    }
    button.disabled = false;
    place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  }
}

let current, dirty = false, leaving = false;
const root = document.getElementById("composer");
if (root) {
  const form = root.closest("form");
  // Django reads at most 1,000 fields: the fields of the editor travel as one
  form.addEventListener("formdata", ({ formData }) => {
    const packed = [...formData].filter(([name, value]) => PACKED.test(name) && typeof value === "string");
    for (const [name] of packed) formData.delete(name);
    formData.set("composed", JSON.stringify(packed));
    formData.delete("mail_html");
  });
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.name === "_compose") {
      event.preventDefault();
      current.compose(button);
    } else if (button?.id === "composer-send") {
      event.preventDefault();
      current.send(button);
    } else leaving = true;
  });
  addEventListener("beforeunload", (event) => { if (dirty && !leaving) event.preventDefault(); });
  current = new Composer(root);
}
