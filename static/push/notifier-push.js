// Web Push for a page: permission, subscription, and the registration of this browser for the logged-in person.
//
//   import { NotifierPush } from "https://notify.example.com/static/push/notifier-push.js";
//   const push = new NotifierPush({ tokenUrl: "/your/inbox-token", serviceWorker: "/notifier-push-worker.js" });
//   push.addEventListener("change", ({ detail }) => { status.textContent = detail.message; });
//   button.onclick = () => push.subscribe();
//
// baseUrl        where Notifier is; the origin of this file if left out
// token          a recipient token from POST /v1/inbox/tokens, made by your server, or
// fetchToken     an async function that returns one, or
// tokenUrl       an address of your server that answers {"token": "…"} for the logged-in person; the service worker
//                then reports clicks and registers a changed subscription while no page is open
// serviceWorker  the address of the worker on your own origin (service-worker.js says how to write it), or your own
//                ServiceWorkerRegistration
// app            which of your apps, where the tenant has several Web Push accounts
// texts          your own words in place of TEXTS, such as a translation
//
// Events: "change" (detail: {state, reason, message}), "message" (detail: a push that arrives while the page is open,
// data messages included), "click" (detail: {delivery, action, link}), "error" (detail: PushError).

export const TEXTS = {
  subscribed: "Notifications are on in this browser.",
  unsubscribed: "Notifications are off in this browser.",
  default: "Notifications are off. Your browser will ask for your permission.",
  denied: "Notifications are blocked. Allow them for this site in your browser's settings, then reload this page.",
  unsupported: "This browser has no web notifications.",
  insecure: "Notifications need a page of https.",
  install: "On iPhone and iPad, add this page to the Home Screen (Share, then Add to Home Screen) and open it from there.",
  dismissed: "Notifications stay off: you closed your browser's question. You can try again.",
  gesture: "Notifications can only be turned on by a click or a key.",
  push_service: "The browser could not reach its notification service. Try again later.",
  no_push_key: "This site does not send notifications to browsers yet.",
  worker: "The page's service worker could not be started.",
  token: "You are not signed in, so this browser cannot be registered.",
  server: "The notification server did not answer as expected. Try again later.",
  removal: "Notifications are off in this browser. The server was not told, and forgets this browser by itself.",
};

/** `code` is for programs, a key of TEXTS; `message` for people; `cause` for developers. */
export class PushError extends Error {
  constructor(code, message, cause) {
    super(message, { cause });
    this.name = "PushError";
    this.code = code;
  }
}

/** A person who turned notifications on wants them back when the browser loses the subscription. */
const WANTED = "notifier-push:wanted";

export class NotifierPush extends EventTarget {
  #base; #options; #texts; #token = null; #registration = null; #queue = Promise.resolve(); #reason = "";

  constructor({ baseUrl, token, fetchToken, tokenUrl, serviceWorker = "/notifier-push-worker.js", app = "", texts = {} } = {}) {
    super();
    this.#base = new URL(baseUrl || import.meta.url, location.href).origin;
    this.#options = { token, fetchToken, tokenUrl: tokenUrl && new URL(tokenUrl, location.href).href, serviceWorker, app };
    this.#texts = { ...TEXTS, ...texts };
    navigator.serviceWorker?.addEventListener("message", (event) => this.#hear(event));
    /** Resolves to the state once this browser is registered again. */
    this.ready = this.#serially(() => this.#start());
  }

  /** One of `unsupported`, `denied`, `default`, `subscribed`, `unsubscribed`. */
  async state() {
    await this.#queue;
    return this.#state();
  }

  /** Why the state is as it is: a key of TEXTS. */
  get reason() {
    return this.#reason;
  }

  /** Call it from a click: a browser asks its question only then. Resolves to the state. Throws PushError. */
  subscribe() {
    const unsupported = this.#unsupported();
    if (unsupported) return this.#fail(unsupported);
    if (navigator.userActivation?.isActive === false) return this.#fail("gesture");
    // the question comes first: after any wait, some browsers take it for one that no click asked
    const asked = Notification.requestPermission();
    return this.#serially(async () => {
      const permission = await asked;
      if (permission !== "granted") return this.#tell(permission, permission === "denied" ? "denied" : "dismissed");
      await this.#subscribe();
      return this.#tell("subscribed");
    });
  }

  /** Turns notifications off here, and removes the device: call it before the person signs out. */
  unsubscribe() {
    return this.#serially(async () => {
      localStorage.removeItem(WANTED);
      const subscription = await (await this.#worker())?.pushManager.getSubscription();
      let failure = null;
      if (subscription) {
        const told = this.#call("DELETE", "devices", { subscription: subscription.toJSON() }).catch((error) => (failure = error));
        await Promise.all([told, subscription.unsubscribe()]);
      }
      const state = await this.#state();
      if (failure) throw new PushError("removal", this.#texts.removal, failure);
      return this.#tell(state);
    });
  }

  // -- the state --

  #unsupported() {
    const apple = /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
    const installed = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
    if (!isSecureContext) return "insecure";
    if ("serviceWorker" in navigator && "PushManager" in window && "Notification" in window) return "";
    return apple && !installed ? "install" : "unsupported";
  }

  async #state() {
    if (this.#unsupported()) return "unsupported";
    if (Notification.permission !== "granted") return Notification.permission;
    const subscription = await (await this.#worker())?.pushManager.getSubscription();
    return subscription ? "subscribed" : "unsubscribed";
  }

  async #tell(state, reason = state) {
    this.#reason = reason;
    this.#signal("change", { state, reason, message: this.#texts[reason] });
    return state;
  }

  // -- start: register again, so that the server knows that this browser is in use --

  async #start() {
    const unsupported = this.#unsupported();
    if (unsupported) return this.#tell("unsupported", unsupported);
    if (Notification.permission === "granted") {
      const subscription = await (await this.#worker())?.pushManager.getSubscription();
      try {
        if (subscription || localStorage.getItem(WANTED)) await this.#subscribe();
        else await this.#flush();
      } catch (error) {
        await this.#tell(await this.#state()); // the browser's own state holds although the server was not told
        throw error;
      }
    }
    return this.#tell(await this.#state());
  }

  async #subscribe() {
    const registration = await this.#register();
    const { public_key: key, key_id } = await this.#call("GET", `push-key?app=${encodeURIComponent(this.#options.app)}`);
    let subscription = await registration.pushManager.getSubscription();
    if (subscription && !isOfKey(subscription, key)) {
      // the tenant has a new key: a browser takes it only for a new subscription
      await this.#call("DELETE", "devices", { subscription: subscription.toJSON() });
      await subscription.unsubscribe();
      subscription = null;
    }
    try {
      subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
    } catch (error) {
      throw this.#error("push_service", error);
    }
    await this.#registerDevice({ subscription: { ...subscription.toJSON(), key_id }, app: this.#options.app });
    localStorage.setItem(WANTED, "yes");
    this.#post(registration, "notifier-push:configure", { key, key_id });
    this.#post(registration, "notifier-push:flush", {});
  }

  /** With the browser's time zone; without it, when the server's zone database is older than the browser's. */
  async #registerDevice(device) {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    try {
      await this.#call("PUT", "devices", timeZone ? { ...device, timezone: timeZone } : device);
    } catch (error) {
      if (!timeZone || error.cause?.problem?.field !== "timezone") throw error;
      await this.#call("PUT", "devices", device);
    }
  }

  // -- the service worker --

  async #worker() {
    if (this.#registration) return this.#registration;
    const { serviceWorker } = this.#options;
    if (typeof serviceWorker !== "string") return (this.#registration = await serviceWorker);
    const { url, registration } = await this.#registered();
    return registration && newest(registration)?.scriptURL === url ? registration : undefined;
  }

  /** The address of the worker, and what is registered for its scope. */
  async #registered() {
    const url = new URL(this.#options.serviceWorker, location.href).href;
    const scope = url.slice(0, url.lastIndexOf("/") + 1);
    const registration = await navigator.serviceWorker.getRegistration(scope);
    return { url, registration: registration?.scope === scope ? registration : undefined };
  }

  async #register() {
    const { serviceWorker } = this.#options;
    try {
      if (typeof serviceWorker === "string") {
        const { url, registration } = await this.#registered();
        const script = registration && newest(registration)?.scriptURL;
        if (script && script !== url) throw new Error(`${script} has this scope: import service-worker.js there and pass its registration`);
        // "none": the imported file is looked at anew with each update of the worker
        this.#registration = await navigator.serviceWorker.register(trusted(url), { updateViaCache: "none" });
      }
      const registration = await this.#worker();
      await active(registration);
      return registration;
    } catch (error) {
      throw this.#error("worker", error);
    }
  }

  #post(registration, type, more) {
    const { app, tokenUrl } = this.#options;
    registration.active?.postMessage({ type, config: { baseUrl: this.#base, app, tokenUrl, ...more }, token: this.#token });
  }

  /** Let the worker report clicks for which it had no token. */
  async #flush() {
    const registration = await this.#worker();
    if (!registration?.active) return;
    this.#token = await this.#askToken();
    this.#post(registration, "notifier-push:flush", {});
  }

  #hear({ data }) {
    if (data?.type === "notifier-push:message") this.#signal("message", data.message);
    if (data?.type === "notifier-push:click") this.#signal("click", { delivery: data.delivery, action: data.action, link: data.link });
    if (data?.type === "notifier-push:token-needed") this.#flush().catch((error) => this.#signal("error", error));
  }

  // -- the server --

  async #askToken() {
    const { token, fetchToken, tokenUrl } = this.#options;
    try {
      if (fetchToken) {
        const answer = await fetchToken();
        return answer?.token ?? answer;
      }
      if (!tokenUrl) return token;
      const response = await fetch(tokenUrl, { headers: { Accept: "application/json" } });
      return response.ok ? (await response.json()).token : null;
    } catch (error) {
      throw this.#error("token", error);
    }
  }

  async #call(method, path, body, isRepeat = false) {
    this.#token ??= await this.#askToken();
    if (!this.#token) throw this.#error("token");
    let response;
    try {
      response = await fetch(`${this.#base}/v1/inbox/${path}`, {
        method,
        headers: { Authorization: `Bearer ${this.#token}`, ...(body && { "Content-Type": "application/json" }) },
        body: body && JSON.stringify(body),
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      throw this.#error("server", error);
    }
    if (response.status === 401 && !isRepeat) {
      this.#token = null; // it has expired
      return this.#call(method, path, body, true);
    }
    if (response.status === 204) return null;
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const code = response.status === 401 ? "token" : answer.code === "no_push_key" ? "no_push_key" : "server";
    throw this.#error(code, Object.assign(new Error(answer.detail ?? response.statusText), { status: response.status, problem: answer }));
  }

  // -- helpers --

  /** One operation after the other: two clicks must not subscribe twice. Each failure is an "error" event, too. */
  #serially(operation) {
    const done = this.#queue.then(operation).catch((error) => {
      const failure = error instanceof PushError ? error : this.#error("server", error);
      this.#signal("error", failure);
      throw failure;
    });
    this.#queue = done.catch(() => {});
    done.catch(() => {}); // `ready` may have no reader; the event has told it
    return done;
  }

  #error(code, cause) {
    return new PushError(code, this.#texts[code], cause);
  }

  #fail(code) {
    const failure = this.#error(code);
    this.#signal("error", failure);
    return Promise.reject(failure);
  }

  #signal(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function bytes(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function isOfKey(subscription, key) {
  const used = subscription.options?.applicationServerKey;
  if (!used) return true; // a browser that does not tell
  const [ours, theirs] = [bytes(key), new Uint8Array(used)];
  return ours.length === theirs.length && ours.every((byte, index) => byte === theirs[index]);
}

let policy;
/** For pages with `require-trusted-types-for 'script'`. A page with a list of policies names `notifier-push`. */
function trusted(url) {
  policy ??= globalThis.trustedTypes?.createPolicy("notifier-push", { createScriptURL: (text) => text });
  return policy ? policy.createScriptURL(url) : url;
}

function newest(registration) {
  return registration.installing ?? registration.waiting ?? registration.active;
}

/** Waits until the registration has an active worker. */
async function active(registration) {
  const worker = registration.active ?? newest(registration);
  if (!worker || worker.state === "activated") return;
  await new Promise((resolve, reject) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("the service worker was not installed"));
    });
  });
}
