// <notifier-inbox src="https://notify.example.com" token="…"></notifier-inbox>: a bell, its unread count and its list.
//
// src        where Notifier is; this page's own origin if left out
// token      a recipient token from POST /v1/inbox/tokens, made by your server
// token-url  instead of, or after, `token`: an address of your server that answers {"token": "…"} for the logged-in user
// link-schemes  schemes of your own apps that a link may have, besides those of the web: "myapp myapp-beta"
// read-only  for a read-only token: no message can be marked as read
// open       shows the list
//
// Fires "token-needed" when the token has expired and there is no token-url: set a new `token`. Content is only put into
// text nodes, and links lead only to http, https, mailto, tel, a path of this page's site, or `link-schemes`.

import { Connection } from "./connection.js";
import { look } from "./look.js";

const BELL = "M18 8a6 6 0 0 0-12 0c0 7-3 8-3 9.2 0 .5.4.8.9.8h16.2c.5 0 .9-.3.9-.8C21 16 18 15 18 8M10 21.2a2.4 2.4 0 0 0 4 0";
const SAFE = ["http:", "https:", "mailto:", "tel:"];
const SPANS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const KEPT = 500;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function bell() {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  const drawn = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "aria-hidden": "true" };
  for (const [name, value] of Object.entries(drawn)) svg.setAttribute(name, value);
  path.setAttribute("d", BELL);
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

function safeLink(text, schemes) {
  // the server accepts only URLs of known schemes and paths; a path leads to the site that shows the inbox
  if (!text || !URL.canParse(text, location.href)) return "";
  const url = new URL(text, location.href);
  return [...SAFE, ...schemes].includes(url.protocol) ? url.href : "";
}

function ago(when) {
  const seconds = (when - Date.now()) / 1000;
  const [unit, length] = SPANS.find(([, length]) => -seconds >= length) ?? [];
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang || undefined, { numeric: "auto", style: "narrow" });
  return unit ? words.format(Math.trunc(seconds / length), unit) : words.format(0, "second");
}

class NotifierInbox extends HTMLElement {
  static observedAttributes = ["token", "open"];
  #connection = null; #messages = new Map(); #counters = { last_seq: 0, read: 0 }; #rows = new Map(); #more = false; #ui = {};
  #clock = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [look];
    this.#build();
  }

  connectedCallback() {
    const origin = new URL(this.getAttribute("src") || "/", location.href).origin;
    this.#connection = new Connection(origin, () => this.#askToken());
    this.#connection.addEventListener("news", (event) => this.#take(event.detail));
    this.#connection.addEventListener("state", (event) => this.#showState(event.detail));
    this.#connection.start();
    this.#clock = setInterval(() => this.#tick(), 30_000);
    this.outside = (event) => event.composedPath().includes(this) || this.removeAttribute("open");
    document.addEventListener("pointerdown", this.outside);
  }

  disconnectedCallback() {
    this.#connection.stop();
    clearInterval(this.#clock);
    document.removeEventListener("pointerdown", this.outside);
  }

  attributeChangedCallback(name, before, after) {
    if (name === "open") this.#showPanel(after !== null);
    else if (after && before !== after && this.#connection) {
      this.disconnectedCallback();
      this.connectedCallback();
    }
  }

  get readOnly() {
    return this.hasAttribute("read-only");
  }

  get unread() {
    return Math.max(0, this.#counters.last_seq - this.#counters.read);
  }

  async #askToken() {
    const given = this.getAttribute("token"), url = this.getAttribute("token-url");
    if (given && given !== this.usedToken) return (this.usedToken = given);
    if (url) return (await (await fetch(url, { headers: { Accept: "application/json" } })).json()).token;
    this.dispatchEvent(new CustomEvent("token-needed", { bubbles: true, composed: true }));
    return null;
  }

  // -- data --

  #take({ messages = [], last_seq, unread, read, more, fresh }) {
    const known = this.#counters;
    // both numbers only grow, so late news never undo newer ones
    this.#counters = fresh
      ? { last_seq, read: last_seq - unread }
      : { last_seq: Math.max(known.last_seq, last_seq), read: Math.max(known.read, last_seq - unread) };
    if (fresh) this.#messages.clear();
    if (more !== undefined) this.#more = more;
    const news = messages.filter((message) => !this.#messages.has(message.seq));
    for (const message of news) this.#messages.set(message.seq, message);
    this.#markLocally(this.unread === 0 ? { up_to_seq: this.#counters.last_seq } : read);
    this.#forget();
    this.#show();
    if (!fresh && news.length) this.#speak(news);
  }

  #markLocally(read) {
    const ids = new Set(read?.ids ?? []), now = new Date().toISOString();
    for (const message of this.#messages.values())
      if (ids.has(message.id) || message.seq <= (read?.up_to_seq ?? 0)) message.read_at ??= now;
  }

  #forget() {
    const seqs = [...this.#messages.keys()].sort((a, b) => b - a);
    for (const seq of seqs.slice(KEPT)) this.#messages.delete(seq);
    if (seqs.length > KEPT) this.#more = true;
  }

  async #showOlder() {
    const oldest = Math.min(...this.#messages.keys());
    const { messages, more } = await this.#connection.older(oldest);
    for (const message of messages) this.#messages.set(message.seq, message);
    this.#more = more && this.#messages.size < KEPT;
    this.#show();
    // move the focus to the first older message, because the button may be hidden now
    if (messages.length) this.#rows.get(messages[0].seq).querySelector("h3").focus();
  }

  // -- display --

  #build() {
    const ui = (this.#ui = {
      badge: make("span", { class: "badge", part: "badge", "aria-hidden": "true" }),
      all: make("button", { class: "quiet", type: "button" }, "Mark all as read"),
      state: make("div", { class: "state", role: "status" }),
      list: make("ul", { role: "list" }),
      empty: make("div", { class: "empty" }, "Nothing here yet. New messages appear by themselves."),
      more: make("button", { class: "quiet more", type: "button" }, "Show older"),
      spoken: make("div", { class: "spoken", "aria-live": "polite" }),
    });
    ui.bell = make("button", { class: "bell", part: "bell", type: "button", "aria-controls": "panel" }, bell(), ui.badge);
    ui.title = make("h2", { id: "title", tabindex: "-1" }, "Notifications");
    const head = make("header", {}, ui.title, ui.all);
    const about = { class: "panel", part: "panel", id: "panel", role: "dialog", "aria-labelledby": "title" };
    ui.panel = make("section", about, head, ui.state, ui.empty, ui.list, ui.more);
    ui.bell.addEventListener("click", () => this.toggleAttribute("open") && ui.title.focus());
    ui.all.addEventListener("click", () => {
      ui.title.focus(); // the button will be disabled, and a disabled button loses the focus
      this.#try(() => this.#connection.markAllRead());
    });
    ui.more.addEventListener("click", () => this.#try(() => this.#showOlder()));
    this.shadowRoot.append(ui.bell, ui.panel, ui.spoken);
    this.shadowRoot.addEventListener("keydown", (event) => event.key === "Escape" && this.#leave());
    ui.list.tabIndex = -1;
    this.#showState("connecting");
    this.#showPanel(false);
    this.#show();
  }

  #leave() {
    this.removeAttribute("open");
    this.#ui.bell.focus();
  }

  #showPanel(open) {
    this.#ui.panel.hidden = !open;
    this.#ui.bell.setAttribute("aria-expanded", String(open));
    if (open) this.#tick();
  }

  #showState(state) {
    const words = {
      connecting: "",
      live: "",
      waiting: "Reconnecting …",
      offline: "You are offline. New messages appear when you are back.",
      "signed-out": "Please reload the page.",
    };
    this.#ui.state.textContent = words[state];
    this.#ui.state.hidden = !words[state];
    this.dataset.state = state;
  }

  #show() {
    const { badge, bell, all, list, empty, more } = this.#ui, unread = this.unread;
    badge.textContent = unread > 99 ? "99+" : String(unread);
    badge.hidden = unread === 0;
    bell.setAttribute("aria-label", unread ? `Notifications, ${unread} unread` : "Notifications");
    all.disabled = unread === 0;
    all.hidden = this.readOnly;
    empty.hidden = this.#messages.size > 0;
    for (const [seq, row] of this.#rows) if (!this.#messages.has(seq)) row.remove(), this.#rows.delete(seq);
    const seqs = [...this.#messages.keys()].sort((a, b) => b - a);
    // existing rows stay in place, so that the focus and the scroll position stay too
    let next = list.firstElementChild;
    for (const seq of seqs) {
      const row = this.#row(this.#messages.get(seq));
      if (row === next) next = next.nextElementSibling;
      else list.insertBefore(row, next);
    }
    more.hidden = !this.#more;
  }

  #row(message) {
    const known = this.#rows.get(message.seq);
    const row = known ?? this.#newRow(message);
    row.classList.toggle("unread", !message.read_at);
    row.querySelector(".mark")?.toggleAttribute("hidden", Boolean(message.read_at));
    row.querySelector(".is-new").hidden = Boolean(message.read_at);
    return row;
  }

  #newRow(message) {
    const when = new Date(message.created_at);
    const time = make("time", { datetime: message.created_at, title: when.toLocaleString() }, ago(when));
    const mark = make("button", { class: "quiet mark", type: "button" }, "Mark as read");
    mark.setAttribute("aria-label", `Mark as read: ${message.title}`);
    const actions = make("div", { class: "actions" });
    const schemes = (this.getAttribute("link-schemes") ?? "").split(/\s+/).filter(Boolean);
    const link = safeLink(message.link, schemes.map((scheme) => `${scheme.toLowerCase()}:`));
    const read = () => this.readOnly || message.read_at || this.#try(() => this.#connection.markRead(message.id));
    if (link) {
      const anchor = make("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, "Open");
      anchor.setAttribute("aria-label", `Open: ${message.title}`);
      anchor.addEventListener("click", read);
      actions.append(anchor);
    }
    mark.addEventListener("click", () => {
      const rowTitle = mark.closest("li").querySelector("h3");
      read();
      rowTitle.focus(); // the button disappears, and the focus must stay in this row
    });
    if (!message.read_at && !this.readOnly) actions.append(mark);
    const unread = make("span", { class: "spoken is-new" }, "Unread: ");
    const title = make("h3", { tabindex: "-1" }, unread, message.title);
    const row = make("li", { class: "new" }, title, time, make("p", {}, message.body), actions);
    this.#rows.set(message.seq, row);
    return row;
  }

  #tick() {
    for (const time of this.#ui.list.querySelectorAll("time")) time.textContent = ago(new Date(time.dateTime));
  }

  #speak(news) {
    this.#ui.spoken.textContent = news.length === 1 ? `New: ${news[0].title}` : `${news.length} new notifications`;
  }

  async #try(action) {
    try {
      await action();
    } catch {
      this.#ui.state.textContent = "That did not work. Please try again.";
      this.#ui.state.hidden = false;
    }
  }
}

customElements.define("notifier-inbox", NotifierInbox);
