// <notifier-inbox src="https://notify.example.com" token="…"></notifier-inbox>: a bell, its badge and its list.
//
// src        where Notifier is; this page's own origin if left out
// token      a recipient token from POST /v1/inbox/tokens, made by your server
// token-url  instead of, or after, `token`: an address of your server that answers {"token": "…"} for the logged-in user
// link-schemes  schemes of your own apps that a link may have, besides those of the web: "myapp myapp-beta"
// title-count   puts the number of unread messages before the page's title: "(3) Orders"
// read-only  for a read-only token: nothing can be changed
// open       shows the list
//
// The badge counts what the person has not seen; opening the list marks all as seen, and nothing as read. In the list:
// arrows move, Enter opens, Delete deletes, E archives, Escape closes. Fires "token-needed" when the token has expired
// and there is no token-url: set a new `token`. Content is only put into text nodes, and links lead only to http, https,
// mailto, tel, a path of this page's site, or `link-schemes`.

import { Connection } from "./connection.js";
import { look } from "./look.js";
import { Row, ago, make } from "./row.js";
import { TABS, View, categoryName } from "./view.js";

const BELL = "M18 8a6 6 0 0 0-12 0c0 7-3 8-3 9.2 0 .5.4.8.9.8h16.2c.5 0 .9-.3.9-.8C21 16 18 15 18 8M10 21.2a2.4 2.4 0 0 0 4 0";
const KEPT = 500, TYPING = 250;
const DONE = { archive: "Archived", unarchive: "Moved to the inbox", snooze: "Snoozed", delete: "Deleted" };
const STATES = {
  connecting: "",
  live: "",
  waiting: "Reconnecting …",
  offline: "You are offline. New messages appear when you are back.",
  "signed-out": "Please reload the page.",
};
const NOTHING = { all: "Nothing here yet. New messages appear by themselves.", unread: "All read.", archived: "Nothing is archived." };

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

class NotifierInbox extends HTMLElement {
  static observedAttributes = ["token", "open"];
  #connection = null; #view = new View(); #messages = new Map(); #rows = new Map(); #next = null; #listing = 0; #ui = {};
  #counters = { last_seq: 0, revision: 0, seen_seq: 0, unread: 0, unseen: 0, categories: {} }; #known = new Set();
  #clock = null; #typing = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [look];
    this.#build();
  }

  connectedCallback() {
    const origin = new URL(this.getAttribute("src") || "/", location.href).origin;
    this.#connection = new Connection(origin, () => this.#askToken());
    this.#connection.addEventListener("news", (event) => this.#take(event.detail));
    this.#connection.addEventListener("reload", () => this.#list());
    this.#connection.addEventListener("state", (event) => this.#showState(event.detail));
    this.#connection.start();
    this.#clock = setInterval(() => this.#tick(), 30_000);
    this.outside = (event) => event.composedPath().includes(this) || this.removeAttribute("open");
    this.seeing = () => this.#see();
    document.addEventListener("pointerdown", this.outside);
    document.addEventListener("visibilitychange", this.seeing);
  }

  disconnectedCallback() {
    this.#connection.stop();
    clearInterval(this.#clock);
    document.removeEventListener("pointerdown", this.outside);
    document.removeEventListener("visibilitychange", this.seeing);
    this.#showInTitle(0);
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
    return this.#counters.unread;
  }

  get unseen() {
    return this.#counters.unseen;
  }

  async #askToken() {
    const given = this.getAttribute("token"), url = this.getAttribute("token-url");
    if (given && given !== this.usedToken) return (this.usedToken = given);
    if (url) return (await (await fetch(url, { headers: { Accept: "application/json" } })).json()).token;
    this.dispatchEvent(new CustomEvent("token-needed", { bubbles: true, composed: true }));
    return null;
  }

  // -- data --

  #take(news) {
    this.#count(news);
    if (news.fresh && this.#view.filter.state + this.#view.category + this.#view.q !== "all") this.#list();
    else if (news.fresh) this.#replace(news);
    const arrived = (news.messages ?? []).filter((message) => !this.#messages.has(message.id));
    for (const message of [...(news.messages ?? []), ...(news.changes ?? [])]) this.#put(message, !news.fresh);
    if (news.read) this.#markLocally(news.read);
    this.#forget();
    this.#show();
    if (!news.fresh && arrived.length) this.#speakOf(arrived);
    this.#see();
  }

  /** Every change raises one of the two numbers, so late news never undo newer ones. */
  #count(news) {
    const later = news.last_seq + news.revision >= this.#counters.last_seq + this.#counters.revision;
    if (news.last_seq !== undefined && (later || news.fresh)) this.#counters = news;
    for (const name of Object.keys(this.#counters.categories)) this.#known.add(name);
  }

  #put(message, isNews) {
    const listed = this.#messages.get(message.id);
    if (listed && listed.revision > message.revision) return;
    this.#known.add(message.category);
    // below the last row of an unfinished list there are messages that the widget does not have yet
    const isBelow = isNews && !listed && this.#next !== null && message.seq < this.#next;
    if (this.#view.has(message, listed || !isNews) && !isBelow) this.#messages.set(message.id, message);
    else this.#messages.delete(message.id);
  }

  #markLocally({ up_to_seq, category }) {
    for (const message of [...this.#messages.values()])
      if (message.state === "unread" && message.seq <= up_to_seq && (!category || message.category === category))
        this.#put({ ...message, state: "read", read_at: new Date().toISOString() }, true);
  }

  #replace({ messages, next_seq }) {
    this.#messages.clear();
    this.#next = next_seq;
    for (const message of messages) this.#put(message, false);
  }

  #forget() {
    const rows = this.#sorted();
    for (const message of rows.slice(KEPT)) this.#messages.delete(message.id);
    if (rows.length > KEPT) this.#next = rows[KEPT - 1].seq;
  }

  #sorted() {
    return [...this.#messages.values()].sort((a, b) => b.seq - a.seq);
  }

  /** List anew what the tab, the category and the search choose. The answer to an earlier choice is dropped. */
  async #list() {
    const listing = ++this.#listing;
    await this.#try(async () => {
      const page = await this.#connection.list(this.#view.filter);
      if (listing !== this.#listing) return;
      this.#count(page);
      this.#replace(page);
      this.#show();
      if (this.#view.q.trim()) this.#speak(`${this.#messages.size}${page.more ? " or more" : ""} found`);
    });
  }

  async #showOlder() {
    const listing = this.#listing;
    const page = await this.#connection.list({ ...this.#view.filter, before_seq: this.#next });
    if (listing !== this.#listing) return;
    this.#next = this.#messages.size < KEPT ? page.next_seq : null;
    for (const message of page.messages) this.#put(message, false);
    this.#show();
    // move the focus to the first older message, because the button may be hidden now
    if (page.messages.length) this.#focusRow(page.messages[0].id);
    else this.#speak(page.more ? "Nothing found there. There are older messages." : "Nothing older found");
  }

  async #act(message, name, values) {
    const focused = this.#rows.get(message.id)?.element.contains(this.shadowRoot.activeElement);
    const rows = this.#sorted(), at = rows.findIndex(({ id }) => id === message.id);
    await this.#try(async () => {
      await this.#connection.change(message.id, name, values);
      if (DONE[name]) this.#speak(`${DONE[name]}: ${message.title}`);
    });
    if (!focused || this.#messages.has(message.id)) return;
    const neighbour = [...rows.slice(at + 1), ...rows.slice(0, at).reverse()].find(({ id }) => this.#messages.has(id));
    if (neighbour) this.#focusRow(neighbour.id);
    else this.#ui.title.focus();
  }

  /** The list is before the person's eyes: the badge need not count its messages any more. */
  #see() {
    const visible = this.hasAttribute("open") && document.visibilityState === "visible";
    if (!visible || this.readOnly || !this.#counters.unseen || this.seeingNow) return;
    this.seeingNow = this.#connection.markSeen().catch(() => {}).finally(() => (this.seeingNow = null));
  }

  // -- display --

  #build() {
    const ui = (this.#ui = {
      badge: make("span", { class: "badge", part: "badge", "aria-hidden": "true" }),
      all: make("button", { class: "quiet", type: "button" }, "Mark all as read"),
      tabs: make("div", { class: "tabs", role: "tablist", "aria-label": "Which notifications" }),
      search: make("input", { type: "search", maxlength: "200", placeholder: "Search", "aria-label": "Search notifications" }),
      category: make("select", { "aria-label": "Category" }),
      state: make("div", { class: "state", role: "status" }),
      list: make("ul", { role: "list", tabindex: "-1" }),
      empty: make("div", { class: "empty" }),
      more: make("button", { class: "quiet more", type: "button" }, "Show older"),
      spoken: make("div", { class: "spoken", "aria-live": "polite" }),
    });
    ui.bell = make("button", { class: "bell", part: "bell", type: "button", "aria-controls": "panel" }, bell(), ui.badge);
    ui.title = make("h2", { id: "title", tabindex: "-1" }, "Notifications");
    const body = make("div", { class: "body", id: "body", role: "tabpanel" }, ui.empty, ui.list, ui.more);
    const about = { class: "panel", part: "panel", id: "panel", role: "dialog", "aria-labelledby": "title" };
    const filters = make("div", { class: "filters" }, ui.search, ui.category);
    ui.panel = make("section", about, make("header", {}, ui.title, ui.all), ui.tabs, filters, ui.state, body);
    for (const [state, text] of TABS) ui.tabs.append(this.#tab(state, text));
    this.shadowRoot.append(ui.bell, ui.panel, ui.spoken);
    this.#listen();
    this.#showState("connecting");
    this.#showPanel(false);
    this.#show();
  }

  #tab(state, text) {
    const tab = make("button", { type: "button", role: "tab", id: `tab-${state}`, "aria-controls": "body" }, text);
    tab.addEventListener("click", () => this.#choose({ state }));
    return tab;
  }

  #listen() {
    const ui = this.#ui;
    ui.bell.addEventListener("click", () => this.toggleAttribute("open") && ui.title.focus());
    ui.all.addEventListener("click", () => {
      ui.title.focus(); // the button will be disabled, and a disabled button loses the focus
      this.#try(() => this.#connection.markAllRead(this.#view.category));
    });
    ui.more.addEventListener("click", () => this.#try(() => this.#showOlder()));
    ui.category.addEventListener("change", () => this.#choose({ category: ui.category.value }));
    ui.search.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#choose({ q: ui.search.value }), TYPING);
    });
    ui.tabs.addEventListener("keydown", (event) => this.#moveInTabs(event));
    ui.list.addEventListener("keydown", (event) => this.#moveInList(event));
    this.shadowRoot.addEventListener("keydown", (event) => event.key === "Escape" && this.#leave());
  }

  #choose(choice) {
    Object.assign(this.#view, choice);
    this.#show();
    this.#list();
  }

  #moveInTabs(event) {
    const tabs = [...this.#ui.tabs.children], step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tab = tabs.at((tabs.indexOf(event.target) + step) % tabs.length);
    tab.click();
    tab.focus();
    event.preventDefault();
  }

  #moveInList(event) {
    const row = event.target.closest("li")?.row;
    if (event.ctrlKey || event.metaKey || event.altKey || !row) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const key = event.key === "E" ? "e" : event.key; // with Caps Lock, too
    const acts = { Delete: "delete", e: row.message.state === "archived" ? "unarchive" : "archive" };
    if (step) this.#focusBeside(row.message, step);
    else if (event.key === "Enter" && event.target === row.title) row.open();
    else if (acts[key] && !this.readOnly) row.act(acts[key]);
    else return;
    event.preventDefault();
  }

  #focusBeside(message, step) {
    const rows = this.#sorted(), at = rows.findIndex(({ id }) => id === message.id);
    const next = rows[at + step];
    if (next) this.#focusRow(next.id);
  }

  #focusRow(id) {
    const title = this.#rows.get(id).title;
    for (const row of this.#rows.values()) row.title.tabIndex = row.title === title ? 0 : -1;
    title.focus();
  }

  #leave() {
    this.removeAttribute("open");
    this.#ui.bell.focus();
  }

  #showPanel(open) {
    this.#ui.panel.hidden = !open;
    this.#ui.bell.setAttribute("aria-expanded", String(open));
    if (open) this.#tick();
    if (open && this.#connection) this.#see();
  }

  #showState(state) {
    this.#ui.state.textContent = STATES[state];
    this.#ui.state.hidden = !STATES[state];
    this.dataset.state = state;
  }

  #show() {
    const { badge, bell, all, list, empty, more } = this.#ui, { unread, unseen } = this.#counters;
    badge.textContent = unseen > 99 ? "99+" : String(unseen);
    badge.hidden = unseen === 0;
    bell.setAttribute("aria-label", unread ? `Notifications, ${unread} unread` : "Notifications");
    const { category } = this.#view;
    all.disabled = (category ? (this.#counters.categories[category]?.unread ?? 0) : unread) === 0;
    all.hidden = this.readOnly;
    empty.hidden = this.#messages.size > 0;
    empty.textContent = this.#view.q.trim() || category ? "Nothing found." : NOTHING[this.#view.state];
    this.#showRows(list);
    more.hidden = this.#next === null;
    this.#showFilters();
    if (this.hasAttribute("title-count")) this.#showInTitle(unread);
  }

  #showRows(list) {
    for (const [id, row] of this.#rows) if (!this.#messages.has(id)) row.element.remove(), this.#rows.delete(id);
    // existing rows stay in place, so that the focus and the scroll position stay too
    let next = list.firstElementChild;
    for (const message of this.#sorted()) {
      const { element } = this.#row(message);
      if (element === next) next = next.nextElementSibling;
      else list.insertBefore(element, next);
    }
    const rows = [...list.children].map(({ row }) => row);
    if (rows.length && !rows.some(({ title }) => title.tabIndex === 0)) rows[0].title.tabIndex = 0;
  }

  #row(message) {
    const known = this.#rows.get(message.id);
    if (known) return known.show(message), known;
    const schemes = (this.getAttribute("link-schemes") ?? "").split(/\s+/).filter(Boolean);
    const row = new Row(message, {
      act: (changed, name, values) => this.#act(changed, name, values),
      readOnly: this.readOnly,
      schemes: schemes.map((scheme) => `${scheme.toLowerCase()}:`),
    });
    this.#rows.set(message.id, row);
    return row;
  }

  #showFilters() {
    for (const tab of this.#ui.tabs.children) {
      const chosen = tab.id === `tab-${this.#view.state}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    const { category } = this.#ui, names = [...this.#known].filter(Boolean).sort();
    const options = [["", "All categories"], ...names.map((name) => [name, this.#nameOf(name)])];
    category.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    category.value = this.#view.category;
    category.hidden = names.length < 2 && !this.#view.category;
  }

  #nameOf(name) {
    const unread = this.#counters.categories[name]?.unread;
    return categoryName(name) + (unread ? ` (${unread})` : "");
  }

  #showInTitle(unread) {
    const plain = document.title.replace(/^\(\d+\+?\) /, "");
    const title = unread ? `(${unread > 99 ? "99+" : unread}) ${plain}` : plain;
    if (this.hasAttribute("title-count") && document.title !== title) document.title = title;
  }

  #tick() {
    for (const time of this.#ui.list.querySelectorAll("time")) time.textContent = ago(new Date(time.dateTime));
  }

  #speakOf(news) {
    this.#speak(news.length === 1 ? `New: ${news[0].title}` : `${news.length} new notifications`);
  }

  #speak(text) {
    this.#ui.spoken.textContent = text;
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
