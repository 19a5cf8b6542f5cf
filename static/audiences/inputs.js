// The inputs of a condition's value. Each makes an element, and calls change(value) when the value changes; undefined
// stands for no value.
let lists = 0;

export function valueInput(operator, field, value, texts, label, change) {
  const make = INPUTS[operator.input] ?? INPUTS.text;
  return make({ operator, field, value, texts, label, change });
}

function textInput(type, { field, value, label, change }, read, show = (v) => v) {
  const input = document.createElement("input");
  input.type = type;
  input.setAttribute("aria-label", label);
  input.value = value === undefined || value === null ? "" : show(value);
  input.autocomplete = "off";
  input.addEventListener("input", () => change(input.value === "" ? undefined : read(input.value)));
  if (type !== "text" || !suggested(field).length) return input;
  const box = document.createElement("span");
  box.className = "a-value";
  box.append(input, datalist(field, input));
  return box;
}

const suggested = (field) => (field.choices.length ? field.choices : field.suggestions.map((v) => [v, v]));

function datalist(field, input) {
  const list = document.createElement("datalist");
  list.id = `a-list-${++lists}`;
  for (const [value, text] of suggested(field)) {
    const option = document.createElement("option");
    option.value = text;
    if (text !== value) option.label = value;
    list.append(option);
  }
  input.setAttribute("list", list.id);
  return list;
}

function days(args) {
  const input = textInput("number", args, Number);
  input.min = 0;
  input.max = 3650;
  input.step = 1;
  input.className = "a-days";
  const box = document.createElement("span");
  box.className = "a-value a-value--days";
  const unit = document.createElement("span");
  unit.textContent = args.texts.days;
  box.append(input, unit);
  return box;
}

function number(args) {
  const input = textInput("number", args, Number);
  input.step = "any";
  return input;
}

function choice({ field, value, texts, label, change }) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", label);
  const known = field.choices.some(([v]) => v === value);
  const choices = known || value === undefined ? field.choices : [...field.choices, [value, String(value)]];
  select.add(new Option(texts.choose_value, "", true, value === undefined));
  for (const [v, text] of choices) select.add(new Option(text, v, false, v === value));
  select.addEventListener("change", () => change(select.value || undefined));
  return select;
}

function tokens({ field, value, texts, label, change }) {
  let values = Array.isArray(value) ? [...value] : [];
  const box = document.createElement("div");
  box.className = "a-tokens";
  const chips = document.createElement("ul");
  const input = document.createElement("input");
  input.type = "text";
  input.setAttribute("aria-label", `${label}. ${texts.add_value}`);
  input.placeholder = texts.add_value;
  input.autocomplete = "off";
  const textOf = (v) => field.choices.find(([key]) => key === v)?.[1] ?? String(v);
  const valueOf = (typed) => {
    const wanted = typed.toLowerCase();
    return field.choices.find(([v, text]) => v.toLowerCase() === wanted || text.toLowerCase() === wanted)?.[0] ?? typed;
  };

  function show() {
    chips.replaceChildren(...values.map((v, at) => {
      const chip = document.createElement("li");
      chip.textContent = textOf(v);
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", texts.remove_value.replace("%(value)s", textOf(v)));
      remove.addEventListener("click", () => {
        set(values.filter((_, i) => i !== at));
        input.focus();
      });
      chip.append(remove);
      return chip;
    }));
    chips.hidden = !values.length;
  }
  function set(next) {
    values = next;
    show();
    change(values.length ? values : undefined);
  }
  function add() {
    const typed = input.value.split(/[,;\n]/).map((t) => t.trim()).filter(Boolean).map(valueOf);
    input.value = "";
    const fresh = [...new Set(typed)].filter((v) => !values.includes(v));
    if (fresh.length) set([...values, ...fresh]);
  }
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      add();
    } else if (event.key === "Backspace" && !input.value && values.length) {
      set(values.slice(0, -1));
    }
  });
  input.addEventListener("input", () => { if (/[,;]/.test(input.value)) add(); });
  input.addEventListener("change", add);
  box.append(chips, input);
  if (suggested(field).length) box.append(datalist(field, input));
  show();
  return box;
}

const nothing = () => {
  const none = document.createElement("span");
  none.className = "a-value";
  return none;
};

const INPUTS = {
  text: (args) => textInput("text", args, (v) => args.field.choices.find(([, text]) => text === v)?.[0] ?? v),
  number,
  days,
  date: (args) => textInput("date", args, (v) => v, (v) => String(v).slice(0, 10)),
  choice,
  tokens,
  none: nothing,
};
