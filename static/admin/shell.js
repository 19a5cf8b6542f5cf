// The frame of every page of the admin: the menu on a small screen, the theme switch, menus that close by themselves.
const nav = document.querySelector("[data-nav]");
const navButton = document.querySelector("[data-nav-toggle]");

function showNav(open) {
  nav.classList.toggle("is-open", open);
  navButton.setAttribute("aria-expanded", String(open));
  if (open) nav.querySelector("a, button")?.focus();
  else navButton.focus();
}

if (nav && navButton) {
  navButton.addEventListener("click", () => showNav(!nav.classList.contains("is-open")));
  nav.querySelector("[data-nav-close]")?.addEventListener("click", () => showNav(false));
}

for (const choice of document.querySelectorAll("[data-theme-choice]")) {
  choice.checked = choice.value === window.notifierTheme.get();
  choice.addEventListener("change", () => window.notifierTheme.set(choice.value));
}

// a menu is a <details>: it closes on Escape and when something else gets the focus
for (const menu of document.querySelectorAll("details[data-menu]")) {
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (nav?.classList.contains("is-open")) showNav(false);
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "k" && (event.metaKey || event.ctrlKey) && !typing) {
    const search = document.querySelector("[data-find]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

// a form that asks for it warns before its changes are lost
for (const form of document.querySelectorAll("form[data-warn-unsaved]")) {
  let changed = false;
  form.addEventListener("input", () => (changed = true));
  form.addEventListener("submit", () => (changed = false));
  addEventListener("beforeunload", (event) => {
    if (changed) event.preventDefault();
  });
}

// a form is sent once, however often its button is pressed; the page of the back button can send it again
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}

// moments in the zone of the reader's browser, beside the zone that the server wrote
for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  time.title = moment.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
}

// Unfold writes the name of a chosen file into a text field beside the input; an input without one is left alone
for (const input of document.querySelectorAll("input[type=file]")) {
  if (!input.parentNode.parentNode?.parentNode?.querySelector("input[type=text]")) input.hasChangeListener = true;
}

// what scrolls sideways can be reached by keyboard
for (const region of document.querySelectorAll("[data-simplebar]")) {
  if (region.scrollWidth > region.clientWidth) {
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", document.querySelector("h1")?.textContent.trim() || document.title);
  }
}
