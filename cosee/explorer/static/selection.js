// The operating point that the state selects: a curve, a point of it, and the controls to choose both. Shared by the
// views of operating points and of examples.

function selectedCurve() {
  const where = results.selected();
  const series = where.series.filter((s) => results.curves(where, s.id).some((curve) => curve.states));
  const id = pick(state.get("method", results.doc.reference), series.map((s) => s.id));
  const curves = id ? results.curves(where, id).filter((curve) => curve.states) : [];
  const curve = curves.find((c) => String(c.seed) === state.get("seed")) ?? curves[0];
  const examples = results.examples(where);
  return { where, series, id, curves, curve, examples };
}

// What sets the point: a speed-up, a risk that is accepted on these examples, or one that a threshold was certified for.
function setBy(selection) {
  const certified = selection.curve && certifiedLevels(selection).length ? ["certified"] : [];
  return pick(state.get("by"), ["speedup", "risk", ...certified]);
}

function selectedPoint(selection) {
  const { curve, examples } = selection;
  const by = setBy(selection);
  if (by === "risk") {
    const allowed = Number(state.get("risk", "1")) / 100;
    const shares = risksOf(curve, examples.labels);
    return shares.reduce((best, share, k) => (share <= allowed + 1e-9 && curve.speedup[k] >= curve.speedup[best] ? k : best), 0);
  }
  return nearest(curve.speedup, by === "certified" ? certifiedRow(selection).speedup : Number(state.get("at", "2")));
}

// Certified thresholds of the curve for the loss and procedure that the state names, by rising level.
function certifiedLevels({ where, id, curve }) {
  const rows = results.rows("risk", where, id).filter((row) => row.seed === curve.seed);
  const { loss, procedure } = riskChoice(rows);
  return rows.filter((row) => row.loss === loss && row.procedure === procedure).sort((a, b) => a.level - b.level);
}

function certifiedRow(selection) {
  const rows = certifiedLevels(selection);
  return rows.find((row) => String(row.level) === state.get("level", "0.05")) ?? rows[0];
}

const curveControls = () => [
  ...placeControls(),
  selector("Method", "method", () => selectedCurve().series.map((s) => [s.id, s.label]), () => selectedCurve().id),
  selector("Seed", "seed", () => selectedCurve().curves.map((c) => [String(c.seed), String(c.seed)]), () => String(selectedCurve().curve?.seed)),
];

// A slider over the operating points, over the risk that is accepted, or over the levels of risk that are promised.
function pointSlider() {
  const modes = () => {
    const selection = selectedCurve();
    const certified = selection.curve && certifiedLevels(selection).length ? [["certified", "promised risk"]] : [];
    return [["speedup", "speed-up"], ["risk", "risk on these examples"], ...certified];
  };
  const by = selector("Set by", "by", modes, () => setBy(selectedCurve()));
  const rows = () => certifiedLevels(selectedCurve());
  const promise = ["loss", "procedure"].map((name) => riskSelector(name, () => results.rows("risk", selectedCurve().where, selectedCurve().id)));
  const name = el("span");
  const change = {
    speedup: (value) => ({ at: selectedCurve().curve.speedup[value].toFixed(4) }),
    risk: (value) => ({ risk: value }),
    certified: (value) => ({ level: rows()[value].level }),
  };
  const slider = el("input", { type: "range", id: "slider", min: 0, step: 1, oninput: () => state.set(change[setBy(selectedCurve())](Number(slider.value))) });
  const jumps = el("div", { class: "buttons" }, [1, 1.5, 2, 3, 4].map((x) => el("button", { type: "button", "data-jump": x, onclick: () => state.set({ by: null, at: x }) }, `${x}×`)));
  const node = el("div", { class: "group wide" }, el("label", {}, name, slider), jumps);
  return {
    nodes: [by.node, ...promise.map((control) => control.node), node],
    update(selection, k) {
      const mode = setBy(selection);
      by.update();
      for (const control of promise) {
        control.update();
        control.node.hidden = mode !== "certified";
      }
      const levels = mode === "certified" ? certifiedLevels(selection) : [];
      slider.max = { speedup: selection.curve.speedup.length - 1, risk: 20, certified: levels.length - 1 }[mode];
      slider.step = mode === "risk" ? 0.25 : 1;
      slider.value = { speedup: k, risk: state.get("risk", "1"), certified: mode === "certified" ? levels.indexOf(certifiedRow(selection)) : 0 }[mode];
      name.textContent = {
        speedup: () => `Speed-up: ${times(selection.curve.speedup[k])}`,
        risk: () => `Accepted risk: ${Number(slider.value).toFixed(2)} % of the examples wrong that full depth has right`,
        certified: () => `Promised: ${promiseText(certifiedRow(selection))}`,
      }[mode]();
      slider.setAttribute("aria-valuetext", name.textContent);
    },
  };
}

// Of how many examples the page holds the outputs.
const sampleNote = ({ count: held, total }) => (held < total ? `${held} of ${total} examples, evenly spread` : count(total, "example"));
