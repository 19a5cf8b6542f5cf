// The form of a campaign: a preview of the chosen template, its variables as fields, what each channel has, how many people
// the audience has, and a warning before unsaved changes are lost. Without JavaScript the form works with JSON.
const form = document.getElementById("campaign_form");
const texts = document.getElementById("campaign-texts");
if (form && texts) enhance(form, JSON.parse(texts.textContent));

function enhance(form, words) {
  const field = (name) => form.elements[name];
  const data = field("data");
  if (!data) return;
  warnOfUnsaved(form);

  const box = document.createElement("div");
  box.className = "road-data";
  const look = document.createElement("div");
  look.className = "road-look";
  look.setAttribute("aria-live", "polite");
  const advanced = document.createElement("details");
  advanced.innerHTML = "<summary></summary>";
  advanced.firstChild.textContent = words.advanced;
  data.before(box);
  data.before(advanced);
  advanced.append(data);
  (form.querySelector(".road-content") ?? form).append(look);
  const people = document.createElement("p");
  people.className = "n-help";
  people.setAttribute("aria-live", "polite");
  field("audience")?.closest("div")?.append(people);

  let timer, asked = 0, shownVariables = "";
  const later = () => { clearTimeout(timer); timer = setTimeout(ask, 300); };

  async function ask() {
    const mine = ++asked;
    const body = new FormData();
    for (const name of ["template", "audience", "data", "csrfmiddlewaretoken"]) body.set(name, field(name)?.value ?? "");
    const answer = await fetch(words.look, { method: "POST", body, redirect: "error" }).catch(() => null);
    if (!answer?.ok || mine !== asked) return;
    const found = await answer.json();
    look.innerHTML = found.preview; // rendered and escaped by our own server
    people.textContent = found.people === null ? "" : (!found.exact ? words.about : found.people === 1 ? words.person : words.people).replace("%s", new Intl.NumberFormat(document.documentElement.lang || "en").format(found.people));
    showChannels(found.channels);
    showFields(found.variables, found.before ?? {});
  }

  function showChannels(available) {
    for (const tick of form.querySelectorAll('input[name="channels"]')) {
      const missing = available.length > 0 && !available.includes(tick.value);
      tick.disabled = missing;
      const label = tick.closest("label") ?? form.querySelector(`label[for="${tick.id}"]`);
      if (!label) continue;
      let note = label.querySelector(".road-none");
      if (!note) { note = document.createElement("span"); note.className = "road-none n-muted"; label.append(note); }
      note.textContent = missing ? ` ${words.noContent}` : "";
    }
  }

  const read = () => { try { const v = JSON.parse(data.value || "{}"); return v && typeof v === "object" && !Array.isArray(v) ? v : null; } catch { return null; } };
  const at = (object, path) => path.split(".").reduce((inner, key) => inner?.[key], object);

  function put(object, path, value) {
    const keys = path.split("."), last = keys.pop();
    let inner = object;
    for (const key of keys) inner = inner[key] = inner[key] && typeof inner[key] === "object" ? inner[key] : {};
    if (value === undefined) delete inner[last]; else inner[last] = value;
  }

  function showFields(variables, before) {
    // a path through a list, or of a value that is itself an object, is written as JSON
    const simple = variables.filter((path) => /^[\p{L}_][\p{L}\p{N}_-]*(\.[\p{L}_][\p{L}\p{N}_-]*)*$/u.test(path) && !variables.some((other) => other.startsWith(`${path}.`)));
    advanced.hidden = simple.length === 0 && variables.length === 0;
    if (simple.join() === shownVariables) return;
    shownVariables = simple.join();
    box.replaceChildren(...simple.map((path, index) => fieldOf(path, index, at(before, path))));
    if (!variables.length) box.append(Object.assign(document.createElement("p"), { className: "n-muted", textContent: words.noVariables }));
    if (simple.length < variables.length) advanced.open = true;
  }

  function fieldOf(path, index, before) {
    const now = read() ?? {};
    const value = at(now, path);
    const type = typeof (value ?? before);
    const row = document.createElement("div");
    row.className = "n-field";
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.id = `data-${index}`;
    label.htmlFor = input.id;
    label.textContent = path.replaceAll("_", " ").replaceAll(".", " › ");
    if (type === "boolean") { input.type = "checkbox"; input.checked = value ?? false; }
    else if (type === "number") { input.type = "number"; input.step = "any"; input.value = value ?? ""; }
    else { input.type = /(_|^)(url|link)$/i.test(path) ? "url" : "text"; input.value = value ?? ""; }
    if (before !== undefined && type !== "boolean") input.placeholder = `${words.before} ${before}`;
    input.addEventListener("input", () => {
      const values = read() ?? {};
      const empty = input.type !== "checkbox" && input.value === "";
      put(values, path, empty ? undefined : input.type === "checkbox" ? input.checked : type === "number" ? Number(input.value) : input.value);
      data.value = JSON.stringify(values, null, 1);
      later();
    });
    row.append(label, input);
    return row;
  }

  data.addEventListener("input", () => { shownVariables = ""; later(); });
  for (const name of ["template", "audience"]) field(name)?.addEventListener("change", later);
  // Django's autocomplete announces its choice by jQuery alone
  window.django?.jQuery?.(field("template")).on("select2:select", later);
  ask();
}

function warnOfUnsaved(form) {
  let dirty = false;
  form.addEventListener("input", () => { dirty = true; });
  form.addEventListener("submit", () => { dirty = false; });
  window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
}
