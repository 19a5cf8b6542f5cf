// The builder of a segment's filter: groups and conditions by clicks. It writes the same JSON as the API takes into the
// textarea of the form, which stays under "advanced"; without this script the textarea is the form.
import { valueInput } from "./inputs.js";
import { Look } from "./look.js";
import { countConditions, eachCondition, filterOf, isComplete, MATCHES, treeOf } from "./model.js";

const json = (id) => JSON.parse(document.getElementById(id)?.textContent || "null");
const make = (tag, className = "", text = "") => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
};
const button = (className, text, onclick) => {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", onclick);
  return element;
};

class Builder {
  constructor(element, area) {
    this.place = element;
    this.area = area;
    this.texts = json("a-texts");
    this.rows = new Map(); // condition -> its row
    this.look = new Look(document.getElementById("a-reach"), this.texts, (error) => this.showError(error));
    this.use(json("a-vocabulary"));
    try {
      this.root = treeOf(JSON.parse(area.value.trim() || "[]"));
    } catch {
      this.root = { match: "all", entries: [] };
    }
    if (!this.root.entries.length) this.root.entries.push({});
    area.addEventListener("input", () => this.readArea());
    this.draw();
    const { wrongAt, wrong } = element.dataset;
    if (wrongAt) this.showError({ field: wrongAt, message: wrong });
    else if (this.look.panel.dataset.audience) this.lookAtStored();
    else this.ask(0);
  }

  use(vocabulary) {
    this.vocabulary = vocabulary;
    this.fields = new Map();
    if (!vocabulary) return;
    const names = new Intl.DisplayNames([document.documentElement.lang || "en"], { type: "region", fallback: "code" });
    for (const group of vocabulary.groups)
      for (const field of group.fields) {
        if (field.name === "country") {
          field.choices = field.choices.map(([code]) => [code, names.of(code)]).sort((a, b) => a[1].localeCompare(b[1]));
        }
        this.fields.set(field.name, field);
      }
    this.place.closest("[data-builder-area]").hidden = false;
  }

  lookAtStored() {
    if (!("shown" in this.look.panel.dataset)) this.look.ask(undefined, 0);
  }

  readArea() {
    const note = document.getElementById("a-json-note");
    try {
      this.root = treeOf(JSON.parse(this.area.value.trim() || "[]"));
      note.textContent = "";
    } catch {
      note.textContent = this.texts.broken;
      return;
    }
    this.draw();
    this.ask();
  }

  changed() {
    this.area.value = JSON.stringify(filterOf(this.root), null, 1);
    document.getElementById("a-json-note").textContent = "";
    this.ask();
  }

  ask(delay) {
    this.clearErrors();
    let complete = countConditions(this.root) > 0;
    eachCondition(this.root, (node) => { complete &&= isComplete(node); });
    if (complete) this.look.ask(this.area.value, delay);
    else this.look.wait(this.texts.unfinished);
  }

  // ---- errors ----

  clearErrors() {
    for (const row of this.rows.values()) {
      row.querySelector(".a-error")?.remove();
      row.querySelectorAll("[aria-invalid]").forEach((e) => e.removeAttribute("aria-invalid"));
    }
  }

  showError({ field, message }) {
    let found = null;
    eachCondition(this.root, (node, path) => { if (`${field}.`.startsWith(`${path}.`)) found = [node, path]; });
    const row = found && this.rows.get(found[0]);
    if (!row) return this.look.wait(message, true);
    this.clearErrors();
    const error = make("p", "a-error", message);
    error.id = `a-error-${found[1].replaceAll(".", "-")}`;
    row.append(error);
    const part = field.slice(found[1].length + 1).split(".")[0];
    const target = row.querySelector({ field: ".a-field", op: ".a-operator" }[part] ?? ".a-slot input, .a-slot select")
      ?? row.querySelector(".a-field");
    target.setAttribute("aria-invalid", "true");
    target.setAttribute("aria-describedby", error.id);
    this.look.wait(message, true);
  }

  // ---- drawing ----

  draw(focus) {
    this.rows.clear();
    this.place.replaceChildren(this.group(this.root, null, 1));
    if (focus) (this.rows.get(focus) ?? this.place).querySelector("select, input, button")?.focus();
  }

  group(group, parent, level) {
    const box = make("fieldset", "a-group");
    const legend = make("legend", "n-visually-hidden", level === 1 ? this.texts.match : this.texts.group);
    const head = make("div", "a-head");
    const match = make("select", "a-match");
    match.setAttribute("aria-label", this.texts.match);
    for (const key of MATCHES) match.add(new Option(this.texts[key], key, false, key === group.match));
    match.addEventListener("change", () => { group.match = match.value; this.changed(); });
    head.append(make("span", "", this.texts.match), match);
    if (parent) head.append(button("a-remove", "×", () => this.remove(parent, group)));
    if (parent) head.lastChild.setAttribute("aria-label", this.texts.remove_group);
    const list = make("ol", "a-list");
    group.entries.forEach((node, at) => {
      const item = make("li");
      item.append(node.match ? this.group(node, group, level + 1) : this.condition(node, group, at));
      list.append(item);
    });
    const actions = make("div", "a-actions");
    actions.append(button("n-button", `+ ${this.texts.add_condition}`, () => this.add(group, {})));
    if (level <= this.vocabulary.max_levels - (this.root.match === "all" ? 0 : 1)) {
      const nested = () => this.add(group, { match: group.match === "any" ? "all" : "any", entries: [{}] });
      actions.append(button("n-button n-button--quiet", `+ ${this.texts.add_group}`, nested));
    }
    box.append(legend, head, list, actions);
    return box;
  }

  add(group, node) {
    if (countConditions(this.root) >= this.vocabulary.max_conditions)
      return this.look.wait(this.texts.limit.replace("%(number)s", this.vocabulary.max_conditions), true);
    group.entries.push(node);
    this.draw(node.match ? node.entries[0] : node);
    this.changed();
  }

  remove(parent, node) {
    const at = parent.entries.indexOf(node);
    parent.entries.splice(at, 1);
    if (!this.root.entries.length) this.root.entries.push({});
    this.changed();
    this.draw(parent.entries[Math.min(at, parent.entries.length - 1)] ?? this.root.entries[0]);
  }

  condition(node, group, at) {
    const row = make("div", "a-row");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", `${this.texts.condition} ${at + 1}`);
    this.rows.set(node, row);
    this.fill(row, node, group);
    return row;
  }

  fill(row, node, group) {
    const field = node.field === undefined ? null : this.field(node);
    row.replaceChildren(this.fieldSelect(node, field, row, group));
    if (node.another) row.append(...this.another(node, row, group));
    if (field) {
      const slot = make("span", "a-slot");
      row.append(this.operatorSelect(node, field, slot), slot);
      this.fillSlot(slot, node, field);
      if (field.hint) row.append(make("small", "a-hint", field.hint));
    }
    const remove = button("a-remove", "×", () => this.remove(group, node));
    remove.setAttribute("aria-label", this.texts.remove_condition);
    row.append(remove);
  }

  /** The field of a condition; an attribute that the sample does not have gets operators by its value. */
  field(node) {
    const known = this.fields.get(node.field);
    if (known) return known;
    const value = Array.isArray(node.value) ? node.value[0] : node.value;
    const kind = typeof value === "number" && !/days/.test(node.op) ? "number" : typeof value === "boolean" && node.op !== "exists"
      ? "boolean" : /days/.test(node.op ?? "") ? "date" : "text";
    const field = { ...this.vocabulary.kinds.find((k) => k.kind === kind), name: node.field, label: node.field };
    this.fields.set(node.field, field);
    return field;
  }

  fieldSelect(node, field, row, group) {
    const select = make("select", "a-field");
    select.setAttribute("aria-label", this.texts.field);
    select.add(new Option(this.texts.choose, "", true, !node.field && !node.another));
    for (const { label, fields } of this.vocabulary.groups) {
      const part = document.createElement("optgroup");
      part.label = label;
      for (const { name, label: text } of fields) part.append(new Option(text, name, false, name === node.field));
      select.append(part);
    }
    if (field && !select.querySelector(`option[value="${CSS.escape(field.name)}"]`))
      select.add(new Option(field.label, field.name, false, true));
    select.add(new Option(this.texts.another, "*", false, Boolean(node.another)));
    select.addEventListener("change", () => {
      for (const key of Object.keys(node)) delete node[key];
      if (select.value === "*") Object.defineProperty(node, "another", { value: true, configurable: true });
      else if (select.value) this.begin(node, this.fields.get(select.value));
      this.fill(row, node, group);
      row.querySelector(node.another ? ".a-attribute" : ".a-field").focus();
      this.changed();
    });
    return select;
  }

  begin(node, field) {
    const first = field.operators[0];
    Object.assign(node, { field: field.name, op: first.op });
    if (first.input === "none") node.value = first.value;
  }

  another(node, row, group) {
    const name = make("input", "a-attribute");
    name.type = "text";
    name.setAttribute("aria-label", this.texts.attribute);
    name.placeholder = this.texts.attribute;
    const kind = make("select", "a-kind");
    kind.setAttribute("aria-label", this.texts.kind);
    for (const { kind: key, label } of this.vocabulary.kinds) kind.add(new Option(label, key));
    const done = () => {
      if (!name.value.trim()) return;
      const path = `attributes.${name.value.trim().replace(/^attributes\./, "")}`;
      const operators = this.vocabulary.kinds.find((k) => k.kind === kind.value);
      if (!this.fields.has(path)) this.fields.set(path, { ...operators, name: path, label: path });
      delete node.another;
      this.begin(node, this.fields.get(path));
      this.fill(row, node, group);
      row.querySelector(".a-operator").focus();
      this.changed();
    };
    name.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); done(); } });
    return [name, kind, button("n-button", "OK", done)];
  }

  operatorSelect(node, field, slot) {
    const select = make("select", "a-operator");
    select.setAttribute("aria-label", this.texts.operator);
    const operators = this.operators(node, field);
    operators.forEach((one, i) => select.add(new Option(one.label, i, false, one === this.operator(node, field))));
    select.addEventListener("change", () => {
      const before = this.operator(node, field);
      const next = operators[Number(select.value)];
      node.op = next.op;
      if (next.input === "none") node.value = next.value;
      else if (next.input !== before.input) node.value = converted(node.value, next.input);
      if (node.value === undefined) delete node.value;
      this.fillSlot(slot, node, field);
      this.changed();
    });
    return select;
  }

  operators(node, field) {
    const known = field.operators.some((o) => o.op === node.op);
    if (known || !node.op) return field.operators;
    const input = Array.isArray(node.value) ? "tokens" : typeof node.value === "boolean" ? "none" : "text";
    return [...field.operators, { op: node.op, label: node.op, input, value: node.value }];
  }

  operator(node, field) {
    const operators = this.operators(node, field).filter((o) => o.op === node.op);
    return operators.find((o) => o.input === "none" && o.value === node.value)
      ?? operators.find((o) => o.input !== "none") ?? operators[0] ?? field.operators[0];
  }

  fillSlot(slot, node, field) {
    const operator = this.operator(node, field);
    const change = (value) => {
      if (value === undefined) delete node.value;
      else node.value = value;
      this.changed();
    };
    slot.replaceChildren(valueInput(operator, field, node.value, this.texts, this.texts.value, change));
  }
}

/** The value for another input: one value becomes a list and back; a value of another type goes. */
function converted(value, input) {
  const first = Array.isArray(value) ? value[0] : value;
  if (input === "tokens") return first === undefined || typeof first === "boolean" ? undefined : [].concat(value);
  if (input === "number" || input === "days") return typeof first === "number" ? first : undefined;
  return typeof first === "string" ? first : undefined;
}

/** Shows what belongs to the chosen source. */
function followSource(start) {
  const radios = [...document.querySelectorAll("input[name=source]")];
  const show = () => {
    const source = radios.find((r) => r.checked)?.value ?? document.body.querySelector("[data-source-now]")?.dataset.sourceNow;
    document.querySelectorAll("[data-of-source]").forEach((part) => { part.hidden = part.dataset.ofSource !== source; });
    if (source === "segment") start();
  };
  radios.forEach((radio) => radio.addEventListener("change", show));
  show();
}

const area = document.getElementById("id_filter");
const builderPlace = document.getElementById("a-builder");
let builder = null;
const panel = document.getElementById("a-reach");
const isEdited = area && (document.querySelector("[data-source-now]")?.dataset.sourceNow ?? "segment") === "segment";
if (panel?.dataset.audience && !("shown" in panel.dataset) && !isEdited) {
  const look = new Look(panel, json("a-texts"), ({ message }) => look.wait(message, true));
  look.ask(undefined, 0);
}
if (area && builderPlace) {
  const tenant = document.getElementById("id_tenant");
  const start = () => {
    if (builder || !json("a-vocabulary")) return;
    builderPlace.closest("form").querySelector("#a-advanced").open = false;
    builder = new Builder(builderPlace, area);
  };
  followSource(start);
  // a member of several tenants chooses one first; what the builder offers depends on the tenant
  tenant?.addEventListener("change", async () => {
    const answer = await fetch(`${builderPlace.dataset.vocabularyUrl}?tenant=${encodeURIComponent(tenant.value)}`);
    if (!answer.ok) return;
    document.getElementById("a-vocabulary").textContent = JSON.stringify(await answer.json());
    builder = null;
    followSource(start);
  });
}
