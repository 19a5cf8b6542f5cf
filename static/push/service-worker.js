// The service worker of Notifier's pushes: shows them, opens their links, and reports what was opened.
//
// A service worker belongs to the origin that serves it, so your site serves a file of two lines:
//
//   // /notifier-push-worker.js
//   importScripts("https://notify.example.com/static/push/service-worker.js");
//
// A worker of your own may import it too: this file only touches pushes that carry Notifier's `delivery_id`.
// notifier-push.js registers the worker and tells it, by messages, where Notifier is ("notifier-push:configure") and
// with which token to report ("notifier-push:flush"). Open pages get each push and each click as a message.

"use strict";

(() => {
  const DATABASE = "notifier-push", STORE = "values";
  const MOST_EVENTS = 100; // that wait for a token
  const LONGEST_URL = 300; // of a reported link
  // options of showNotification that a message may set, by their names in the message
  const FLAGS = { renotify: "renotify", silent: "silent", require_interaction: "requireInteraction", requireInteraction: "requireInteraction" };
  const TEXTS = ["lang", "dir"];
  const IMAGES = ["icon", "badge"];

  // -- what the worker keeps: its configuration, and events that could not be reported yet --

  function open() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  async function transact(mode, act) {
    const database = await open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction(STORE, mode);
        const request = act(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request?.result);
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  }

  const EVENTS = IDBKeyRange.bound("event:", "event;");
  const readConfig = () => transact("readonly", (store) => store.get("config"));
  const writeConfig = (config) => transact("readwrite", (store) => store.put(config, "config"));
  const readEvents = () => transact("readonly", (store) => store.getAll(EVENTS, MOST_EVENTS));
  const deleteEvents = (events) => transact("readwrite", (store) => events.forEach((event) => store.delete(event.key)));

  async function queueEvent(event) {
    const keys = await transact("readonly", (store) => store.getAllKeys(EVENTS));
    const key = `event:${String(Date.now()).padStart(15, "0")}:${Math.random().toString(36).slice(2)}`;
    await transact("readwrite", (store) => {
      for (const old of keys.slice(0, Math.max(0, keys.length - MOST_EVENTS + 1))) store.delete(old);
      store.put({ ...event, key }, key);
    });
  }

  // -- a push arrives --

  self.addEventListener("push", (event) => {
    const message = read(event.data);
    if (message) event.waitUntil(receive(message));
  });

  function read(data) {
    try {
      const message = data?.json();
      return message && typeof message === "object" && message.delivery_id ? message : null;
    } catch {
      return null; // not JSON: another sender's push
    }
  }

  async function receive(message) {
    const shown = message.title || message.body ? show(message) : null;
    await finishAll([shown, setBadge(message.badge), tellPages("notifier-push:message", { message })]);
  }

  /** Waits for all; one that fails, such as a badge without an installed app, does not end the others. */
  async function finishAll(works) {
    for (const { reason } of await Promise.allSettled(works)) if (reason) console.warn("notifier-push:", reason.message);
  }

  async function show(message) {
    const title = String(message.title || ""), options = optionsOf(message);
    try {
      await self.registration.showNotification(title, options);
    } catch (error) {
      // a browser refuses some combinations of options; the text must be shown nevertheless
      console.warn("notifier-push: shown without its options:", error.message);
      await self.registration.showNotification(title, { body: options.body, tag: options.tag, data: options.data });
    }
  }

  function optionsOf(message) {
    const given = message.options && typeof message.options === "object" ? message.options : {};
    const actions = listOfActions(given.actions);
    const options = {
      body: String(message.body || ""),
      tag: String(given.tag || message.tag || message.delivery_id), // a repeat replaces the first
      data: { ...message.data, notifier: noteOf(message, actions) },
    };
    for (const [name, option] of Object.entries(FLAGS)) if (name in given) options[option] = isTrue(given[name]);
    for (const name of TEXTS) if (given[name]) options[name] = String(given[name]);
    for (const name of IMAGES) if (imageUrl(given[name])) options[name] = imageUrl(given[name]);
    if (imageUrl(message.image)) options.image = imageUrl(message.image);
    if (actions.length) options.actions = actions.map(({ action, title, icon }) => ({ action, title, ...(imageUrl(icon) && { icon: imageUrl(icon) }) }));
    if (given.timestamp > 0) options.timestamp = Number(given.timestamp);
    const vibrate = numbers(given.vibrate);
    if (vibrate.length && !options.silent) options.vibrate = vibrate;
    return options;
  }

  /** What the worker needs when the notification is clicked. */
  function noteOf(message, actions) {
    const links = Object.fromEntries(actions.filter(({ link }) => link).map(({ action, link }) => [action, String(link)]));
    return { delivery: message.delivery_id, link: String(message.link || ""), links };
  }

  function listOfActions(given) {
    let list = given;
    try {
      if (typeof given === "string") list = JSON.parse(given);
    } catch {
      return [];
    }
    return Array.isArray(list) ? list.filter((each) => each?.action && each?.title) : [];
  }

  const isTrue = (value) => value === true || value === "true";
  const numbers = (value) => String(value ?? "").split(/[,\s]+/).map(Number).filter((each) => each > 0);

  function imageUrl(text) {
    const url = text && URL.canParse(text, self.location.href) ? new URL(text, self.location.href) : null;
    return url && (url.protocol === "https:" || url.origin === self.location.origin) ? url.href : "";
  }

  /** The number on the icon of an installed app. */
  async function setBadge(badge) {
    if (badge === undefined || badge === "" || !navigator.setAppBadge) return;
    const number = Number(badge);
    if (number > 0) await navigator.setAppBadge(number);
    else if (number === 0) await navigator.clearAppBadge();
  }

  async function tellPages(type, content) {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    for (const page of pages) page.postMessage({ type, ...content });
  }

  // -- a person clicks --

  self.addEventListener("notificationclick", (event) => {
    const note = event.notification.data?.notifier;
    if (!note) return;
    event.notification.close();
    const link = event.action ? note.links[event.action] : note.link;
    const mayOpen = !event.action || link;
    event.waitUntil(
      finishAll([
        mayOpen ? openPage(link) : null,
        tellPages("notifier-push:click", { delivery: note.delivery, action: event.action, link: link || "" }),
        report({ delivery: note.delivery, kind: link || event.action ? "clicked" : "opened", url: link }),
      ]),
    );
  });

  /** Focus the page that shows the link, else open it. Without a link: any page of this app. */
  async function openPage(link) {
    const url = pageUrl(link) || self.registration.scope;
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const shown = pages.find((page) => page.url === url) ?? (pageUrl(link) ? null : pages.find((page) => page.url.startsWith(url)));
    if (shown) {
      try {
        return await shown.focus();
      } catch {
        // the browser allows no focus now: open a window
      }
    }
    return self.clients.openWindow(url);
  }

  /** A page of this origin or of https. A browser opens no other scheme from a worker. */
  function pageUrl(text) {
    const url = text && URL.canParse(text, self.location.href) ? new URL(text, self.location.href) : null;
    return url && (url.protocol === "https:" || url.origin === self.location.origin) ? url.href : "";
  }

  // -- reports --

  async function report({ delivery, kind, url }) {
    const event = { delivery, kind, at: new Date().toISOString(), ...(url && { url: url.slice(0, LONGEST_URL) }) };
    await queueEvent(event);
    const config = await readConfig();
    const token = config?.tokenUrl ? await fetchToken(config.tokenUrl) : null;
    if (token) await flush(config, token);
    else await tellPages("notifier-push:token-needed", {}); // an open page flushes; else the next start of a page does
  }

  async function fetchToken(url) {
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "include" });
      return response.ok ? (await response.json()).token : null;
    } catch {
      return null; // offline
    }
  }

  async function flush(config, token) {
    const events = await readEvents();
    if (!events.length) return;
    const body = { events: events.map(({ key, ...event }) => event) };
    const response = await call(config, token, "POST", "events", body);
    // a refused event would be refused again; a token that has expired, a busy server and a failing one are no refusal
    if (response.ok || ![401, 403, 429].includes(response.status) && response.status < 500) await deleteEvents(events);
  }

  function call(config, token, method, path, body) {
    return fetch(`${config.baseUrl}/v1/inbox/${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
  }

  // -- the browser changed the subscription --

  self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(resubscribe(event)));

  /** With a token URL the new subscription is registered now; else the next start of a page does it. */
  async function resubscribe(event) {
    const config = await readConfig();
    if (!config) return;
    const token = config.tokenUrl ? await fetchToken(config.tokenUrl) : null;
    const answer = token ? await call(config, token, "GET", `push-key?app=${encodeURIComponent(config.app)}`) : null;
    const current = answer?.ok ? await answer.json() : null;
    const { key, key_id } = current ? { key: current.public_key, key_id: current.key_id } : config;
    let subscription = event.newSubscription ?? (await self.registration.pushManager.getSubscription());
    if (subscription && config.key !== key) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    await writeConfig({ ...config, key, key_id });
    if (!token) return;
    if (event.oldSubscription) await call(config, token, "DELETE", "devices", { subscription: event.oldSubscription.toJSON() });
    const device = { subscription: { ...subscription.toJSON(), key_id }, app: config.app };
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const registered = timeZone && (await call(config, token, "PUT", "devices", { ...device, timezone: timeZone }));
    // the server's zone database may be older than the browser's
    if (!timeZone || registered?.status === 400) await call(config, token, "PUT", "devices", device);
  }

  // -- what a page says --

  self.addEventListener("message", (event) => {
    if (event.data?.type === "notifier-push:configure") event.waitUntil(writeConfig(event.data.config));
    if (event.data?.type === "notifier-push:flush") event.waitUntil(flush(event.data.config, event.data.token));
  });
})();
