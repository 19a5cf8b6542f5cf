// Names, roles and keys that the markup of Unfold lacks. The texts come from the page: titles, column names, placeholders.
const ICON = ".material-symbols-outlined";

function words(element) {
  const copy = element.cloneNode(true);
  for (const icon of copy.querySelectorAll(ICON)) icon.remove();
  return copy.textContent.trim();
}

// the text of an icon is a ligature ("more_vert"), which a screen reader must not say
function nameIcons(root) {
  for (const icon of root.querySelectorAll(`${ICON}:not([aria-hidden])`)) {
    const control = icon.closest("a, button, label, [role=button]");
    if (!control && icon.title) {
      icon.setAttribute("role", "img");
      icon.setAttribute("aria-label", icon.title);
      continue;
    }
    icon.setAttribute("aria-hidden", "true");
    if (control?.matches("a, button") && !words(control) && !control.hasAttribute("aria-label")) {
      control.setAttribute("aria-label", control.title || document.body.dataset[nameOf(control)]);
    }
  }
  for (const mark of root.querySelectorAll(`div[title]:has(> ${ICON}:only-child)`)) {
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", mark.title);
  }
}

function nameOf(control) {
  if (control.type === "submit" && control.closest("[role=search]")) return "textSearch";
  if (control.matches(".related-lookup")) return "textLookUp";
  return "textOpen";
}

// the menu beside a choice of another row, and the marks that delete a row, are <div>s
function makeButtons(root) {
  const menus = [...root.querySelectorAll("[x-ref^=relatedWidgetWrapper]")].map((box) => [box, "textMore"]);
  const bins = [...root.querySelectorAll(".delete-template a, div.delete-template")].map((box) => [box, "textRemove"]);
  for (const [box, text] of [...menus, ...bins]) {
    if (box.matches("a") || box.hasAttribute("role")) continue;
    box.setAttribute("role", "button");
    box.tabIndex = 0;
    box.setAttribute("aria-label", document.body.dataset[text]);
    const menu = text === "textMore" && document.getElementById(`related-widget-wrapper-${box.getAttribute("x-ref").slice(20)}`);
    menu?.addEventListener?.("keydown", (event) => event.key === "Escape" && box.focus());
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      box.click();
      if (menu) setTimeout(() => menu.querySelector("a[href]")?.focus(), 60);
    });
  }
}

// in a table of forms each input is named by its column; the two inputs of a moment by the label above them
function nameInputs(root) {
  for (const input of root.querySelectorAll("td[data-label] :is(input, select, textarea)")) {
    if (input.labels?.length || input.type === "hidden" || input.hasAttribute("aria-label")) continue;
    input.setAttribute("aria-label", input.closest("td").dataset.label);
  }
  for (const input of root.querySelectorAll("input:is(.vDateField, .vTimeField):not([aria-label])")) {
    const label = input.closest(":has(label)")?.querySelector("label");
    if (input.labels?.length || !label) continue;
    const part = document.body.dataset[input.matches(".vDateField") ? "textDate" : "textTime"];
    input.setAttribute("aria-label", `${label.textContent.trim()} ${part}`);
  }
  for (const input of root.querySelectorAll("input[placeholder]:not([aria-label])")) {
    if (!input.labels?.length) input.setAttribute("aria-label", input.placeholder);
  }
}

// select2 names its box by what is chosen, which is nothing at first
function nameChoices() {
  for (const shown of document.querySelectorAll(".select2-selection__rendered[role=textbox]")) {
    const label = document.getElementById(shown.id.slice("select2-".length, -"-container".length))?.labels[0];
    if (!label) continue;
    label.id ||= `${label.htmlFor}_label`;
    shown.removeAttribute("role");
    shown.removeAttribute("aria-readonly");
    shown.closest(".select2-selection").setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
  }
}

function improve(root) {
  nameIcons(root);
  makeButtons(root);
  nameInputs(root);
}

improve(document);
document.addEventListener("formset:added", (event) => {
  improve(event.target);
  nameChoices();
});
// select2 makes its boxes when jQuery is ready, which may be before or after the page is loaded
if (document.querySelector(".admin-autocomplete")) {
  new MutationObserver(nameChoices).observe(document.body, { childList: true, subtree: true });
}
addEventListener("load", nameChoices);
document.addEventListener("focusin", ({ target }) => {
  if (target.matches(".select2-search__field")) target.setAttribute("aria-label", document.body.dataset.textSearch);
});

// a sheet of filters takes the focus when it opens, and gives it back
const sheet = document.querySelector("#changelist-filter");
const opener = document.querySelector(".n-filters");
if (sheet && opener) {
  opener.setAttribute("aria-expanded", "false");
  new MutationObserver(() => {
    const open = sheet.checkVisibility();
    if (open === (opener.getAttribute("aria-expanded") === "true")) return;
    opener.setAttribute("aria-expanded", String(open));
    (open ? sheet.querySelector("button") : opener).focus();
  }).observe(sheet, { attributes: true, attributeFilter: ["style", "class"] });
  sheet.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !sheet.contains(relatedTarget)) sheet.querySelector("button").focus();
  });
}
