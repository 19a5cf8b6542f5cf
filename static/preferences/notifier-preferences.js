// <notifier-preferences src="https://notify.example.com" token-url="/your/inbox-token"></notifier-preferences>: a logged-in
// person's own preferences. Each change is stored at once.
//
// src        where Notifier is; this page's own origin if left out
// token      a recipient token from POST /v1/inbox/tokens, made by your server
// token-url  instead of, or after, `token`: an address of your server that answers {"token": "…"} for the logged-in user
// lang       en, de or es; else the language of the page
// read-only  for a read-only token: nothing can be changed
//
// Fires "token-needed" when the token has expired and there is no token-url: set a new `token`. Fires
// "preferences-saved" after each change, with the preferences as `detail`. Content is only put into text nodes.

import { look } from "./look.js";
import { TEXTS } from "./texts.js";

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Make `shown` show what `fresh` shows. Nodes of the same kind stay: a press that has begun, the focus, and a time that
 * is half entered survive. */
function update(shown, fresh) {
  const before = [...shown.childNodes], after = [...fresh.childNodes];
  for (const extra of before.slice(after.length)) extra.remove();
  after.forEach((next, index) => {
    const node = before[index];
    if (!node) shown.append(next);
    else if (node.nodeName !== next.nodeName || node.dataset?.name !== next.dataset?.name) node.replaceWith(next);
    else if (node.nodeType === Node.TEXT_NODE) node.data = next.data;
    else updateElement(node, next);
  });
}

function updateElement(node, next) {
  const typed = ["time", "date"].includes(next.type);
  // the attribute holds the stored value, the property what the person entered
  if (typed && node.getAttribute("value") === next.getAttribute("value")) return;
  for (const { name } of [...node.attributes]) if (!next.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of next.attributes) node.setAttribute(name, value);
  update(node, next);
  if (next.nodeName === "SELECT" || typed) node.value = next.value;
  if (next.type === "checkbox") node.checked = next.checked;
}

/** The recipient's choice for a category after one switch: true and false where the recipient said so; undefined for no
 * choice. A switch as the category has it by default is no choice, because a default is no consent. */
export function choiceAfter(category, before, everyChannel, name, on) {
  const byDefault = !category.opt_in, switches = { ...category.channels, [name]: on };
  if (!on && !Object.values(switches).some(Boolean)) return false;
  const own = typeof before === "boolean" ? Object.fromEntries(everyChannel.map((each) => [each, before])) : { ...before };
  const next = before === false ? {} : { ...own };
  for (const [each, value] of Object.entries(switches)) {
    const stays = before !== false && own[each] === value;
    if (value !== byDefault || stays || (each === name && !on)) next[each] = value;
    else delete next[each];
  }
  return Object.keys(next).length ? next : undefined;
}

class NotifierPreferences extends HTMLElement {
  static observedAttributes = ["token", "lang", "read-only"];
  #token = null; #got = null; #ui = {}; #queue = Promise.resolve(); #waiting = 0; #connected = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [look];
    this.#ui.status = make("p", { class: "status", role: "status", part: "status" });
    this.#ui.form = make("div", { part: "form" });
    this.shadowRoot.append(this.#ui.status, this.#ui.form);
  }

  connectedCallback() {
    this.#connected = true;
    this.#load();
  }

  disconnectedCallback() {
    this.#connected = false;
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#connected || before === after) return;
    if (name === "token") this.#load();
    else this.#show();
  }

  get #tag() {
    const language = (this.lang || this.closest("[lang]")?.lang || "en").split("-")[0].toLowerCase();
    return language in TEXTS ? language : "en";
  }

  get #texts() {
    return TEXTS[this.#tag];
  }

  // -- data --

  async #askToken() {
    const given = this.getAttribute("token"), url = this.getAttribute("token-url");
    if (given && given !== this.usedToken) return (this.usedToken = given);
    if (url) return (await (await fetch(url, { headers: { Accept: "application/json" } })).json()).token;
    this.dispatchEvent(new CustomEvent("token-needed", { bubbles: true, composed: true }));
    return null;
  }

  async #call(method, body, again = true) {
    this.#token ??= await this.#askToken();
    if (!this.#token) throw Object.assign(new Error("no token"), { status: 401 });
    const origin = new URL(this.getAttribute("src") || "/", location.href).origin;
    const headers = { Authorization: `Bearer ${this.#token}`, ...(body && { "Content-Type": "application/json" }) };
    const answer = await fetch(`${origin}/v1/inbox/preferences`, { method, headers, body: body && JSON.stringify(body) });
    if (answer.status === 401 && again) {
      this.#token = null;
      return this.#call(method, body, false);
    }
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(`preferences: ${answer.status}`), { status: answer.status, code: problem.code });
    }
    return answer.json();
  }

  async #load() {
    this.#token = null;
    this.#say(this.#texts.loading);
    try {
      this.#got = await this.#call("GET");
      this.#say("");
    } catch (error) {
      this.#complain(error);
    }
    this.#show();
  }

  /** Store a change: `values` gets the newest preferences. Changes leave one after another, in order. The preferences
   * are read anew first: the person may have unsubscribed by a mail since the page was opened. The form shows what is
   * stored after the last change that waits, so no later choice is shown as undone meanwhile. */
  #save(values) {
    this.#waiting += 1;
    this.#say("");
    this.#queue = this.#queue.then(async () => {
      this.#waiting -= 1;
      try {
        this.#got = await this.#call("GET");
        const waiting = this.#unconfirmed();
        this.#got = await this.#call("PUT", values(this.#got));
        const asked = [...this.#unconfirmed()].some((key) => !waiting.has(key));
        this.#say(asked ? this.#texts.asked : this.#texts.saved);
        this.dispatchEvent(new CustomEvent("preferences-saved", { bubbles: true, composed: true, detail: this.#got }));
        if (!this.#waiting) this.#show(update);
      } catch (error) {
        this.#complain(error);
        this.#show();
      }
    });
  }

  #unconfirmed() {
    return new Set(this.#got.choices.categories.filter((one) => one.unconfirmed).map((one) => one.key));
  }

  #say(text, error = false) {
    this.#ui.status.textContent = text;
    this.#ui.status.classList.toggle("error", error);
  }

  #complain(error) {
    const texts = this.#texts;
    const noMail = ["no_confirmation", "confirmation_too_soon"].includes(error.code);
    this.#say(noMail ? texts.noMail : error.status === 401 ? texts.reload : texts.failed, true);
  }

  // -- display --

  /** Show the preferences: on new controls, or on those of the form by `update`. */
  #show(put = (form, fresh) => form.replaceChildren(...fresh.childNodes)) {
    const { form } = this.#ui, fresh = make("div");
    // the same control is focused after it was replaced
    const focused = this.shadowRoot.activeElement, name = focused?.dataset.name;
    if (this.#got) {
      fresh.append(this.#channels(), ...this.#categories(), this.#quiet(), this.#snooze(), this.#language(), this.#all());
    }
    if (this.hasAttribute("read-only")) for (const each of fresh.querySelectorAll("input, select, button")) each.disabled = true;
    put(form, fresh);
    if (name && !focused.isConnected) form.querySelector(`[data-name="${CSS.escape(name)}"]`)?.focus();
  }

  #group(title, help, ...children) {
    return make("fieldset", {}, make("legend", {}, title), ...(help ? [make("p", {}, help)] : []), ...children);
  }

  #switch(name, label, on, changed) {
    const box = make("input", { type: "checkbox", "data-name": name });
    box.checked = on;
    box.addEventListener("change", () => changed(box.checked));
    return make("label", {}, box, label);
  }

  #select(name, label, options, chosen, changed) {
    const select = make("select", { "data-name": name });
    for (const [value, words] of options) select.append(make("option", { value }, words));
    select.value = chosen;
    select.addEventListener("change", () => changed(select.value));
    return make("label", { class: "field" }, label, select);
  }

  #input(type, name, label, value) {
    const input = make("input", { type, "data-name": name, value });
    return [input, make("label", { class: "field" }, label, input)];
  }

  #name(channel) {
    return this.#texts[channel] ?? channel;
  }

  #channels() {
    const { channels: on, choices } = this.#got, texts = this.#texts;
    const switches = choices.channels.map((name) =>
      this.#switch(`channel.${name}`, this.#name(name), on[name], (checked) =>
        this.#save((got) => ({ channels: { ...got.channels, [name]: checked } }))));
    const row = make("div", { class: "row" }, ...switches);
    return this.#group(texts.channels, texts.channelsHelp, row, ...this.#preferred("", texts.any));
  }

  #preferred(key, nothing) {
    const { choices, preferred_channels: preferred } = this.#got, chosen = preferred[key] ?? "";
    const names = [...new Set([...choices.channels, ...(chosen ? [chosen] : [])])];
    if (names.length < 2) return [];
    const options = [["", nothing], ...names.map((name) => [name, this.#name(name)])];
    return [this.#select(`preferred.${key}`, this.#texts.preferred, options, chosen, (value) =>
      this.#save((got) => {
        const { [key]: _, ...others } = got.preferred_channels;
        return { preferred_channels: value ? { ...others, [key]: value } : others };
      }))];
  }

  #categories() {
    const { categories } = this.#got.choices, texts = this.#texts;
    if (!categories.length) return [];
    const inOrder = [...categories.filter((one) => !one.essential), ...categories.filter((one) => one.essential)];
    return [this.#group(texts.categories, "", ...inOrder.map((category) => this.#category(category)))];
  }

  #category(category) {
    const texts = this.#texts, children = [make("legend", {}, category.name)];
    if (category.description) children.push(make("p", {}, category.description));
    if (category.essential) children.push(make("p", {}, texts.essential));
    else {
      const switches = Object.entries(category.channels).map(([name, on]) =>
        this.#switch(`category.${category.key}.${name}`, this.#name(name), on, (checked) =>
          this.#save((got) => ({ categories: this.#changed(got, category.key, name, checked) }))));
      children.push(make("div", { class: "row" }, ...switches));
    }
    if (category.unconfirmed) children.push(make("p", {}, texts.unconfirmed));
    return make("fieldset", { class: "category" }, ...children, ...this.#preferred(category.key, texts.same));
  }

  #changed(got, key, name, on) {
    const category = got.choices.categories.find((one) => one.key === key);
    const { [key]: before, ...others } = got.categories;
    const choice = choiceAfter(category, before, Object.keys(got.channels), name, on);
    return choice === undefined ? others : { ...others, [key]: choice };
  }

  #quiet() {
    const texts = this.#texts, stored = this.#got.quiet_hours;
    const [from, fromLabel] = this.#input("time", "quiet.from", texts.from, stored?.from ?? "");
    const [until, untilLabel] = this.#input("time", "quiet.until", texts.until, stored?.until ?? "");
    const change = () => {
      const half = Boolean(from.value) !== Boolean(until.value), same = from.value && from.value === until.value;
      for (const each of [from, until]) each.removeAttribute("aria-invalid");
      if (half) return this.#say(texts.quietWrong); // no error yet: the other time may come next
      if (same) return this.#mark(until, texts.quietWrong);
      const hours = from.value ? { from: from.value, until: until.value } : null;
      this.#save(() => ({ quiet_hours: hours }));
    };
    for (const each of [from, until]) each.addEventListener("change", change);
    return this.#group(texts.quiet, texts.quietHelp, make("div", { class: "row" }, fromLabel, untilLabel));
  }

  #snooze() {
    const texts = this.#texts, until = this.#got.snoozed_until && new Date(this.#got.snoozed_until);
    const two = (number) => String(number).padStart(2, "0");
    const shown = until ? `${until.getFullYear()}-${two(until.getMonth() + 1)}-${two(until.getDate())}` : "";
    const [day, label] = this.#input("date", "snooze", texts.snoozeUntil, shown);
    day.addEventListener("change", () => {
      // without a zone, a time means the clock of this device
      const moment = day.value ? new Date(`${day.value}T00:00`) : null;
      const ahead = moment ? (moment - Date.now()) / 86_400_000 : 1;
      if (!(ahead > 0 && ahead <= 365)) return this.#mark(day, texts.snoozeWrong);
      this.#save(() => ({ snoozed_until: moment?.toISOString() ?? null }));
    });
    return this.#group(texts.snooze, texts.snoozeHelp, label);
  }

  #language() {
    const texts = this.#texts, { language, choices } = this.#got;
    const names = new Intl.DisplayNames([this.#tag], { type: "language" });
    const options = [["", texts.usual], ...choices.languages.map((tag) => [tag, names.of(tag)])];
    const changed = (value) => this.#save(() => ({ language: value }));
    return this.#group(texts.language, "", this.#select("language", texts.language, options, language, changed));
  }

  #all() {
    const texts = this.#texts, off = this.#got.everything_off;
    const button = make("button", { type: "button", "data-name": "all", "data-off": off }, off ? texts.again : texts.none);
    button.addEventListener("click", () => {
      const everything_off = button.dataset.off !== "true";
      this.#save(() => ({ everything_off }));
    });
    return this.#group(texts.none, off ? texts.off : texts.noneHelp, button);
  }

  #mark(input, text) {
    input.setAttribute("aria-invalid", "true");
    this.#say(text, true);
  }
}

customElements.define("notifier-preferences", NotifierPreferences);
