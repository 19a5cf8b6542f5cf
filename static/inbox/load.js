// What the widget does while its server sheds load: it shows the feed that this tab has kept, and asks seldom.
//
// The server's /status.json says so: {"level": "normal" | "shedding", "ask_after_s": seconds}. It is answered from
// memory, and the browser keeps it for some seconds. The kept feed is in sessionStorage, so it ends with the tab; it
// belongs to one recipient, whom the token names, and is removed when the person signs out.

const KEPT = "notifier-inbox-feed", TIMEOUT = 3_000;

/** Seconds until the widget may ask for more than the status; 0: now. A server that does not answer is no busy server:
 *  the widget's own waits between attempts are for that. */
export async function askAfter(origin) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(`${origin}/status.json`, { credentials: "omit", referrerPolicy: "no-referrer", signal });
    const status = response.ok ? await response.json() : {};
    return status.level === "shedding" ? Number(status.ask_after_s) || 60 : 0;
  } catch {
    return 0;
  }
}

/** Milliseconds for these seconds, spread so that not all pages ask in the same second. */
export const spread = (seconds) => seconds * 1000 * (0.5 + Math.random());

/** Keep the first page of the feed for this recipient. */
export function keepFeed(origin, token, feed) {
  store((storage) => storage.setItem(KEPT, JSON.stringify({ owner: owner(origin, token), feed })));
}

/** The kept feed of this recipient, or null. */
export function keptFeed(origin, token) {
  const kept = store((storage) => JSON.parse(storage.getItem(KEPT)));
  return kept?.owner && kept.owner === owner(origin, token) ? kept.feed : null;
}

export function forgetFeed() {
  store((storage) => storage.removeItem(KEPT));
}

/** Whose feed the token opens. Only the server checks a token; here it keeps two people's feeds apart. */
function owner(origin, token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return claims.tid && claims.rid ? `${origin} ${claims.tid} ${claims.rid}` : null;
  } catch {
    return null;
  }
}

/** Browsers may forbid storage, or it may be full: the widget goes on without a kept feed. */
function store(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}
