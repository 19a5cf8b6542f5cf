// One message of the list: its text, its link, its menu.

const SAFE = ["http:", "https:", "mailto:", "tel:"];
const SPANS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The language of the page; the browser's for a page whose `lang` is no language tag, such as "en_US". */
function pageLanguage() {
  try {
    return Intl.getCanonicalLocales(document.documentElement.lang || [])[0];
  } catch {
    return undefined;
  }
}

export function ago(when) {
  const seconds = (when - Date.now()) / 1000;
  const [unit, length] = SPANS.find(([, length]) => -seconds >= length) ?? [];
  const words = new Intl.RelativeTimeFormat(pageLanguage(), { numeric: "auto", style: "narrow" });
  return unit ? words.format(Math.trunc(seconds / length), unit) : words.format(0, "second");
}

function safeLink(text, schemes) {
  // the server accepts only URLs of known schemes and paths; a path leads to the site that shows the inbox
  if (!text || !URL.canParse(text, location.href)) return "";
  const url = new URL(text, location.href);
  return [...SAFE, ...schemes].includes(url.protocol) ? url.href : "";
}

function morning(days) {
  const when = new Date();
  when.setDate(when.getDate() + days);
  when.setHours(9, 0, 0, 0);
  return when.toISOString();
}

/** The acts that the menu offers for a message in this state: [text, act, values]. */
function choices(state) {
  if (state === "archived") return [["Move to the inbox", "unarchive"], ["Delete", "delete"]];
  return [
    state === "unread" ? ["Mark as read", "read"] : ["Mark as unread", "unread"],
    ["Archive", "archive"],
    ["Snooze for an hour", "snooze", () => ({ until: new Date(Date.now() + 3600_000).toISOString() })],
    ["Snooze until tomorrow", "snooze", () => ({ until: morning(1) })],
    ["Snooze for a week", "snooze", () => ({ until: morning(7) })],
    ["Delete", "delete"],
  ];
}

export class Row {
  /** `act(message, name, values)` changes the message on the server. */
  constructor(message, { act, readOnly, schemes }) {
    this.act = (name, values) => act(this.message, name, values);
    this.readOnly = readOnly;
    const when = new Date(message.created_at);
    const time = make("time", { datetime: message.created_at, title: when.toLocaleString() }, ago(when));
    this.isNew = make("span", { class: "spoken is-new" }, "Unread: ");
    this.title = make("h3", { tabindex: "-1" }, this.isNew, message.title);
    this.actions = make("div", { class: "actions" });
    this.element = make("li", { class: "new" }, this.title, time, make("p", {}, message.body), this.actions);
    this.element.row = this;
    this.#addLink(message, schemes);
    if (!readOnly) this.#addMenu(message);
    this.show(message);
  }

  show(message) {
    this.message = message;
    const unread = message.state === "unread";
    this.element.classList.toggle("unread", unread);
    this.isNew.hidden = !unread;
    if (this.mark) this.mark.hidden = !unread;
  }

  /** What Enter does: follow the link, and count the message as read. */
  open() {
    if (this.link) this.link.click();
    else this.read();
  }

  read() {
    if (this.message.state === "unread" && !this.readOnly) this.act("read");
  }

  #addLink(message, schemes) {
    const href = safeLink(message.link, schemes);
    if (!href) return;
    this.link = make("a", { href, target: "_blank", rel: "noopener noreferrer" }, "Open");
    this.link.setAttribute("aria-label", `Open: ${message.title}`);
    this.link.addEventListener("click", () => this.read());
    this.actions.append(this.link);
  }

  #addMenu(message) {
    this.mark = make("button", { class: "quiet mark", type: "button" }, "Mark as read");
    this.mark.setAttribute("aria-label", `Mark as read: ${message.title}`);
    this.mark.addEventListener("click", () => {
      this.title.focus(); // the button disappears, and the focus must stay in this row
      this.read();
    });
    this.more = make("button", { class: "quiet dots", type: "button", "aria-haspopup": "menu", "aria-expanded": "false" }, "⋯");
    this.more.setAttribute("aria-label", `More for: ${message.title}`);
    this.more.addEventListener("click", () => (this.menu ? this.closeMenu() : this.#openMenu()));
    this.actions.append(this.mark, this.more);
  }

  #openMenu() {
    this.menu = make("div", { class: "menu", role: "menu" });
    this.menu.setAttribute("aria-label", this.message.title);
    for (const [text, name, values] of choices(this.message.state)) {
      const item = make("button", { class: "quiet", type: "button", role: "menuitem", tabindex: "-1" }, text);
      item.addEventListener("click", () => {
        this.closeMenu();
        this.act(name, values?.());
      });
      this.menu.append(item);
    }
    this.menu.addEventListener("keydown", (event) => this.#moveInMenu(event));
    this.menu.addEventListener("focusout", (event) => this.menu?.contains(event.relatedTarget) || this.closeMenu(false));
    this.more.setAttribute("aria-expanded", "true");
    this.element.append(this.menu);
    this.menu.scrollIntoView({ block: "nearest" }); // the list cuts a menu that opens below its end
    this.menu.firstElementChild.focus({ preventScroll: true });
  }

  closeMenu(returnFocus = true) {
    const menu = this.menu;
    this.menu = null;
    this.more?.setAttribute("aria-expanded", "false");
    if (returnFocus) this.more?.focus();
    menu?.remove();
  }

  #moveInMenu(event) {
    const items = [...this.menu.children], at = items.indexOf(event.target);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") this.closeMenu();
    else if (next !== undefined) items.at(next % items.length).focus();
    else return;
    event.preventDefault();
    event.stopPropagation(); // Escape closes the menu only
  }
}
