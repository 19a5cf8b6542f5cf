// The connection to one inbox: missed messages first, then new ones, over a WebSocket that reconnects by itself.
//
// Events: "news" (detail: the counters, with {messages}, {changes} or {read}; `fresh` when the server begins anew),
// "reload" (too much has changed: list anew), "state" (detail: "live" | "waiting" | "offline" | "signed-out").
// The table on the server is the truth. A lost message leaves a gap in the sequence numbers and is requested again.

import { askAfter, forgetFeed, keepFeed, keptFeed, spread } from "./load.js";

const FIRST_WAIT = 500, LONGEST_WAIT = 30_000, LONGEST_SPREAD = 60_000;
// the server sends a heartbeat every 20 to 30 s; a connection without one is dead although the browser has not noticed
const HEARTBEAT_TIMEOUT = 70_000;
const TOKEN_REFUSED = [4401, 4410], TOO_MANY = 4429;
const FIRST_PAGE = 30;

export class Connection extends EventTarget {
  #origin; #askToken; #token = null; #socket = null; #timer = null; #watchdog = null; #failures = 0; #closed = false;
  #attempt = 0;
  // seconds over which the server asks its clients to spread their reconnects: it knows how many there are
  #within = 0;
  // seconds for which the server, which sheds load, wants no request that the person did not cause
  #busyFor = 0;
  // every message up to `seq` and every change up to `revision` has arrived
  seq = null;
  revision = null;

  constructor(origin, askToken) {
    super();
    this.#origin = origin;
    this.#askToken = askToken;
    this.goOffline = () => this.#goOffline();
    this.reconnect = () => {
      const mayConnect = navigator.onLine && document.visibilityState !== "hidden";
      if (mayConnect && !this.#socket && !this.#closed) this.start();
    };
  }

  start() {
    this.#closed = false;
    clearTimeout(this.#timer);
    addEventListener("online", this.reconnect);
    addEventListener("offline", this.goOffline);
    document.addEventListener("visibilitychange", this.reconnect);
    this.#open(++this.#attempt);
  }

  stop() {
    this.#closed = true;
    removeEventListener("online", this.reconnect);
    removeEventListener("offline", this.goOffline);
    document.removeEventListener("visibilitychange", this.reconnect);
    this.#drop();
  }

  /** The browser has no network: an open socket is dead, and another one would fail until the network is back. */
  #goOffline() {
    this.#drop();
    this.#signal("state", "offline");
  }

  #drop() {
    this.#attempt++;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#socket?.close();
    this.#socket = null;
  }

  /** A page of a list, newest first: {messages, more, next_seq}. `filter`: {state, category, q, before_seq}. */
  list(filter) {
    const given = Object.entries(filter).filter(([, value]) => value);
    return this.#fetch("GET", `messages?${new URLSearchParams([...given, ["limit", FIRST_PAGE]])}`);
  }

  /** Change one message: "read", "unread", "archive", "unarchive", "unsnooze", "snooze" with {until}, "delete". */
  async change(id, act, values = {}) {
    const [method, path] = act === "delete" ? ["DELETE", ""] : ["POST", `/${act}`];
    this.#news(await this.#fetch(method, `messages/${id}${path}`, values));
  }

  async markAllRead(category) {
    const read = { up_to_seq: this.seq, ...(category && { category }) };
    if (this.seq) this.#news({ ...(await this.#fetch("POST", "read", read)), read });
  }

  async markSeen() {
    if (this.seq && !this.#busyFor) this.#news(await this.#fetch("POST", "seen", { up_to_seq: this.seq }));
  }

  async #open(attempt) {
    try {
      const status = askAfter(this.#origin);
      this.#token ??= await this.#askToken();
      if (!this.#token) {
        forgetFeed();
        return this.#signal("state", "signed-out");
      }
      const busyFor = (this.#busyFor = await status);
      const first = this.seq === null ? await this.#firstPage(busyFor) : null;
      if (attempt !== this.#attempt) return;
      if (first) this.#news({ ...first, fresh: true });
      if (busyFor) return this.#askLater(busyFor);
      this.#connect(attempt);
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error.status === 401 ? 4401 : 0);
    }
  }

  /** From the server; while it sheds load, the page that this tab has kept, if any. */
  async #firstPage(busyFor) {
    const kept = busyFor && keptFeed(this.#origin, this.#token);
    if (kept) return kept;
    const first = await this.#fetch("GET", `messages?limit=${FIRST_PAGE}`);
    keepFeed(this.#origin, this.#token, first);
    return first;
  }

  #askLater(seconds) {
    this.#signal("state", "waiting");
    this.#timer = setTimeout(() => this.#open(++this.#attempt), spread(seconds));
  }

  #connect(attempt) {
    const url = `${this.#origin.replace(/^http/, "ws")}/v1/inbox/live`;
    const socket = (this.#socket = new WebSocket(url, ["notifier.inbox", this.#token]));
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", after_seq: this.seq, after_revision: this.revision }));
    socket.onmessage = (event) => attempt === this.#attempt && this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (attempt !== this.#attempt) return;
      this.#socket = null;
      this.#failed(event.code);
    };
    this.#watch();
  }

  #receive(frame) {
    this.#watch();
    this.#within = frame.reconnect_within ?? this.#within;
    if (frame.type === "ready") {
      if (frame.last_seq < this.seq || frame.revision < this.revision) return this.#startOver();
      this.#failures = 0;
      this.#signal("state", "live");
    }
    this.revision = frame.after_revision;
    this.#news(frame);
    if (frame.type === "reload") this.#signal("reload");
  }

  /** The server has fewer messages than the widget: it was restored from a backup. */
  #startOver() {
    this.seq = null;
    this.#socket.close();
  }

  #news(news) {
    // messages may be older than the counters of their frame: only messages move `seq`
    for (const message of news.messages ?? []) this.seq = Math.max(this.seq ?? 0, message.seq);
    if (news.fresh) [this.seq, this.revision] = [news.last_seq, news.revision];
    this.#signal("news", news);
  }

  #failed(code) {
    clearTimeout(this.#watchdog);
    if (TOKEN_REFUSED.includes(code)) this.#token = null;
    const longest = code === TOO_MANY ? 120_000 : Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    // jitter: a million widgets whose server restarted must not reconnect in the same second
    const spread = Math.min(LONGEST_SPREAD, this.#within * 1000);
    const jitter = spread > longest ? Math.random() * spread : longest / 4 + Math.random() * longest * 0.75;
    const wait = code === 4410 && this.#failures === 1 ? 0 : jitter;
    this.#signal("state", "waiting");
    this.#timer = setTimeout(() => this.#open(++this.#attempt), wait);
  }

  #watch() {
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#watchdog = setTimeout(() => {
      // close() of a dead connection waits for an answer that never comes
      if (socket === this.#socket) {
        this.#attempt++;
        this.#socket = null;
        socket?.close();
        this.#failed(0);
      }
    }, HEARTBEAT_TIMEOUT);
  }

  async #fetch(method, path, body) {
    const response = await fetch(`${this.#origin}/v1/inbox/${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.#token}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
    if (!response.ok) throw Object.assign(new Error(`inbox: ${response.status}`), { status: response.status });
    return response.json();
  }

  #signal(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
