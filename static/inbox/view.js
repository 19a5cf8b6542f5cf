// What the list shows: a tab, a category, a search. Pure.

export const TABS = [["all", "All"], ["unread", "Unread"], ["archived", "Archived"]];
const STATES = { all: ["unread", "read"], unread: ["unread"], archived: ["archived"] };

export class View {
  state = "all";
  category = "";
  q = "";

  /** The parameters of a list on the server. */
  get filter() {
    return { state: this.state, category: this.category, q: this.q.trim() };
  }

  /** Whether a message may be in the list. Only the server compares words: a search shows what the server has found. */
  has(message, isListed) {
    const inTab = STATES[this.state].includes(message.state) && (!this.category || message.category === this.category);
    return inTab && (isListed || !this.q.trim());
  }
}

/** A category's key as a person reads it: "order-updates" -> "Order updates". */
export function categoryName(key) {
  const words = key.replace(/[-_.]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : "Other";
}
