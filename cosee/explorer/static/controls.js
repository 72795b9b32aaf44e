// Controls that are bound to the state: made once per view, brought up to date after every change.

function bound(node, update) {
  return { node, update };
}

function selector(label, name, options, chosen, changes = () => ({})) {
  const field = el("select", { "data-key": name, onchange: () => state.set({ [name]: field.value, ...changes() }) });
  let known = "";
  return bound(el("label", {}, label, field), () => {
    const there = options();
    const signature = JSON.stringify(there);
    if (signature !== known) field.replaceChildren(...there.map(([value, text]) => el("option", { value }, text)));
    known = signature;
    field.value = chosen();
    field.disabled = there.length < 2;
  });
}

function checkbox(label, name, initially, { mark = null, there = () => true } = {}) {
  const field = el("input", { type: "checkbox", "data-key": name, onchange: () => state.set({ [name]: field.checked ? 1 : 0 }) });
  const node = el("label", { class: "check" }, field, mark, label);
  return bound(node, () => {
    node.hidden = !there();
    field.checked = isOn(name, initially);
  });
}

const isOn = (name, initially) => state.get(name, initially ? "1" : "0") === "1";

// The four selectors that all views of results share.
function placeControls({ rule = true } = {}) {
  const where = () => results.selected();
  return [
    selector("Task", "task", () => results.tasks().map((task) => [task, results.taskLabel(task)]), () => where().task),
    selector("Encoder", "backbone", () => where().backbones.map((b) => [b, shortLabel(b)]), () => where().backbone),
    selector("Split", "split", () => where().splits.map((split) => [split, split]), () => where().split),
    ...(rule ? [selector("Exit signal", "rule", () => where().rules.map((r) => [r, r]), () => where().rule)] : []),
  ];
}

const shortLabel = (backbone) => {
  const label = results.doc.backbones[backbone] ?? backbone;
  if (label.length <= 34) return label;
  const [name, facts = ""] = label.split(" (");
  return `${backbone}: ${name}${facts ? ` (${facts.split(",")[0]})` : ""}`;
};

// Methods to show and to highlight; it is the legend as well.
class MethodList {
  constructor(extra = () => []) {
    this.extra = extra;
    this.list = el("ul", { class: "methods" });
    const set = (hidden) => () => state.set({ hide: hidden().join(",") });
    this.node = el(
      "div",
      {},
      el("h3", { id: "methods" }, "Methods"),
      el(
        "div",
        { class: "buttons" },
        el("button", { type: "button", onclick: set(() => []) }, "All"),
        el("button", { type: "button", onclick: set(() => this.ids.filter((id) => id !== highlighted())) }, "Only highlighted"),
      ),
      this.list,
    );
    this.items = new Map();
  }

  update(ids) {
    const signature = ids.join() + isDark();
    this.ids = ids;
    if (signature !== this.signature) {
      this.items = new Map(ids.map((id) => [id, this.item(id)]));
      this.list.replaceChildren(...[...this.items.values()].map((item) => item.node));
      this.signature = signature;
    }
    const hidden = state.list("hide");
    for (const [id, { box, button }] of this.items) {
      box.checked = !hidden.includes(id);
      button.setAttribute("aria-pressed", String(highlighted() === id));
    }
  }

  item(id) {
    const label = results.label(id);
    const change = () => {
      const hidden = new Set(state.list("hide"));
      if (box.checked) hidden.delete(id);
      else hidden.add(id);
      state.set({ hide: [...hidden].join(",") });
    };
    const box = el("input", { type: "checkbox", "data-series": id, onchange: change });
    const emphasize = () => state.set({ highlight: highlighted() === id ? "none" : id });
    const button = el("button", { type: "button", "aria-pressed": "false", "aria-label": `Highlight ${label}`, title: "Highlight", onclick: emphasize }, "★");
    return { node: el("li", {}, el("label", {}, box, swatch(id), el("span", {}, label)), button), box, button };
  }
}

const highlighted = () => state.get("highlight", results.doc.reference);
const shownSeries = (where) => where.series.filter((series) => !state.list("hide").includes(series.id));
