// Example view: every example with its exit, and prediction and confidence at every exit as a strip.

const PAGE = 50;
const LEGEND = "Examples. A strip has one cell per exit: blue, right; orange with ×, wrong; the stronger, the more confident; framed, the exit that is taken; low, exits after it, which are not computed.";

const examplesView = {
  name: "examples",
  title: "Examples",
  charts: false,

  mount(host) {
    this.controls = [
      ...curveControls(),
      selector("Show", "filter", () => Object.entries(FILTERS).map(([value, [text]]) => [value, text]), () => pick(state.get("filter"), Object.keys(FILTERS)), () => ({ page: null })),
      selector("Exits at", "exit", () => [["", "any layer"], ...Array.from({ length: selectedCurve().curve?.depth ?? 0 }, (_, m) => [String(m + 1), `layer ${m + 1}`])], () => state.get("exit"), () => ({ page: null })),
    ];
    const levels = () => [...new Set(selectedCurve().examples?.steps ?? [])].sort((a, b) => a - b);
    this.steps = selector("Steps needed", "steps", () => [["", "any"], ...levels().map((level) => [String(level), count(level, "step")])], () => state.get("steps"), () => ({ page: null }));
    this.controls.push(this.steps);
    this.slider = pointSlider();
    this.search = el("input", { type: "search", oninput: () => state.set({ q: this.search.value, page: null }), "data-key": "q" });
    this.find = el("label", {}, "Text contains", this.search);
    this.note = el("p", { class: "hidden-note", id: "example-note", role: "status" });
    this.table = el("div", { id: "examples" });
    this.pager = el("div", { class: "buttons" });
    host.replaceChildren(
      el("h2", {}, "Examples"),
      el("div", { class: "controls" }, this.controls.map((control) => control.node), this.find, this.slider.nodes),
      this.note,
      this.table,
      this.pager,
      el("div", { class: "tools" }, el("button", { type: "button", onclick: () => this.save() }, "CSV of these examples")),
    );
  },

  update() {
    const selection = selectedCurve();
    this.controls.forEach((control) => control.update());
    this.table.hidden = this.pager.hidden = !selection.curve;
    if (!selection.curve) {
      this.note.textContent = "No stored outputs for this choice.";
      return;
    }
    const k = selectedPoint(selection);
    this.slider.update(selection, k);
    const { examples, where, curve } = selection;
    this.find.hidden = !examples.texts;
    this.steps.node.hidden = !examples.steps;
    if (document.activeElement !== this.search) this.search.value = state.get("q");
    this.rows = chosenExamples(examplesAt(selection, k));
    const pages = Math.max(1, Math.ceil(this.rows.length / PAGE));
    const page = Math.min(Math.max(1, Number(state.get("page", "1")) || 1), pages);
    const why = examples.texts ? "" : ` ${results.doc.noText || "Their texts are not at hand."}`;
    this.note.textContent = `${this.rows.length} of ${sampleNote(examples)} of ${results.taskLabel(where.task)}, ${where.split}, ${results.label(selection.id)}, seed ${curve.seed}, at ${times(curve.speedup[k])}.${why}`;
    this.table.replaceChildren(this.tableOf(this.rows.slice((page - 1) * PAGE, page * PAGE), selection));
    const step = (to, text) => el("button", { type: "button", disabled: to < 1 || to > pages, onclick: () => state.set({ page: to }) }, text);
    this.pager.replaceChildren(...(pages > 1 ? [step(page - 1, "Previous"), el("span", {}, `page ${page} of ${pages}`), step(page + 1, "Next")] : []));
  },

  tableOf(rows, { examples, where }) {
    const classes = results.doc.tasks[where.task].classes;
    const sort = pick(state.get("sort"), SORTS);
    const down = state.get("order") === "down";
    const head = (name, text) => ({
      name: text,
      head: el("button", { type: "button", "data-sort": name, onclick: () => state.set({ sort: name, order: sort === name && !down ? "down" : null }), "aria-label": `Sort by ${text}${sort === name ? (down ? ", now descending" : ", now ascending") : ""}` }, text + (sort === name ? (down ? " ↓" : " ↑") : "")),
    });
    const columns = [
      { ...head("idx", "Example"), rowHead: true }, { name: "Every exit" }, head("exit", "Exit"), head("answer", "Answer"), head("label", "Label"), head("confidence", "Confidence"),
      ...(examples.steps ? [head("steps", "Steps")] : []), ...(examples.texts ? [{ name: "Text" }] : []),
    ];
    const cells = rows.map((e) => [
      String(e.idx), strip(e, classes), String(e.exit), el("span", { class: e.correct ? "good" : "bad" }, `${e.correct ? "✓" : "×"} ${classes[e.answer]}`), classes[e.label], `${(100 * e.confidence).toFixed(0)} %`,
      ...(examples.steps ? [String(e.steps)] : []), ...(examples.texts ? [el("span", { class: "text" }, e.text)] : []),
    ]);
    return table(LEGEND, columns, cells, { kind: "cards" });
  },

  save() {
    const { where, examples } = selectedCurve();
    const classes = results.doc.tasks[where.task].classes;
    const columns = ["idx", "label", "exit_layer", "answer", "confidence", ...(examples.steps ? ["steps"] : []), "answers_by_exit", "confidence_by_exit", ...(examples.texts ? ["text"] : [])];
    const rows = this.rows.map((e) => [e.idx, classes[e.label], e.exit, classes[e.answer], e.confidence, ...(examples.steps ? [e.steps] : []), e.answers.map((a) => classes[a]).join(" "), e.confidences.map((c) => c.toFixed(3)).join(" "), ...(examples.texts ? [e.text] : [])]);
    download("examples.csv", "text/csv", csv(columns, rows));
    announce("CSV file written.");
  },
};

function strip(e, classes) {
  const words = e.answers.map((answer, m) => `${m + 1}: ${classes[answer]} ${(100 * e.confidences[m]).toFixed(0)} %`).join(", ");
  const lowest = 1 / classes.length;
  const cells = e.answers.map((answer, m) => {
    const strength = 0.3 + 0.7 * Math.max(0, (e.confidences[m] - lowest) / (1 - lowest));
    const color = `color-mix(in srgb, var(--${e.right[m] ? "right" : "wrong"}) ${(100 * strength).toFixed(0)}%, var(--ground))`;
    const kind = m + 1 === e.exit ? "exit" : m + 1 > e.exit ? "after" : "";
    const cell = el("i", { class: kind }, e.right[m] ? "" : "×");
    cell.style.background = color;
    return cell;
  });
  return el("span", { class: "strip", role: "img", "aria-label": `exit ${e.exit}; ${words}`, title: words }, cells);
}
