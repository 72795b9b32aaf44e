// Provenance view: what the numbers of this page come from.

const provenanceView = {
  name: "provenance",
  title: "Provenance",
  charts: false,

  mount(host) {
    const facts = Object.entries(results.doc.provenance).flatMap(([name, value]) => [
      el("dt", {}, name),
      el("dd", {}, Array.isArray(value) ? (value.length === 1 ? value[0] : el("ul", {}, value.map((each) => el("li", {}, each)))) : String(value)),
    ]);
    const encoders = Object.values(results.doc.backbones);
    host.replaceChildren(
      el("h2", {}, "Provenance"),
      el("dl", { class: "facts" }, facts, el("dt", {}, encoders.length === 1 ? "Encoder" : "Encoders"), el("dd", {}, el("ul", {}, encoders.map((label) => el("li", {}, label))))),
      el("h3", {}, "Data"),
      el("p", {}, "Each chart has its numbers as a table and as CSV, and itself as SVG. The address of the page holds its state: a copied link shows the same view."),
      el("div", { class: "tools" },
        el("button", { type: "button", id: "all-targets", onclick: () => download("targets.csv", "text/csv", csv(results.doc.atTargets.columns, results.doc.atTargets.rows)) }, "CSV of all scores at target speed-ups"),
        el("button", { type: "button", onclick: () => download("differences.csv", "text/csv", csv(["backbone", "target_speedup", "task", "method", "reference", "difference", "low", "high", "verdict", "examples"], results.doc.differences)) }, "CSV of all differences at equal cost"),
      ),
    );
  },

  update() {},
};
