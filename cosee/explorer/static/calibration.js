// Calibration of the answers: whether the probability of a class tells how often it is right, at the exits taken.

const MEASURES = {
  ece: ["ECE", "expected calibration error (%)", 100],
  exit_bias: ["Exit bias", "exit bias (points)", 100],
  nll: ["NLL", "negative log-likelihood (nats)", 1],
  ece_last: ["ECE, last exit", "expected calibration error of the last exit (%)", 100],
  nll_last: ["NLL, last exit", "negative log-likelihood of the last exit (nats)", 1],
  early: ["Early", "examples that exit early (%)", 100],
};
const MEASURE_NOTES = {
  ece: "0 is best.",
  exit_bias: "Mean confidence minus accuracy of the examples that exit early; above 0: too sure.",
  nll: "Lower is better.",
  ece_last: "Full depth for all examples, for comparison.",
  nll_last: "Full depth for all examples, for comparison.",
  early: "",
};

// Mean and standard deviation over seeds of a measure at a target; not known where a seed lacks it.
function calibrationAt(rows, target, name) {
  const values = rows.filter((row) => row.target_speedup === target && !missing(row[name])).map((row) => row[name]);
  if (!values.length) return { mean: null, spread: null, seeds: 0 };
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = values.length < 2 ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  return { mean, spread, seeds: values.length };
}

function calibrationPanel() {
  const measure = () => pick(state.get("measure", "ece"), Object.keys(MEASURES));
  const controls = [
    selector("Measure", "measure", () => Object.entries(MEASURES).map(([name, [label]]) => [name, label]), measure),
    selector("Table at speed-up", "target", () => results.doc.targets.map((t) => [String(t), `${t}×`]), () => String(chosenTarget())),
  ];
  const methods = new MethodList();
  const chart = new Chart("calibration", "Calibration of the answers.");
  const note = el("p", { class: "hidden-note" });
  const holder = el("div", { id: "calibrations" });
  const body = el("div", {}, el("div", { class: "controls" }, controls.map((control) => control.node)), el("div", { class: "split" }, el("div", {}, chart.node, note), methods.node), holder);
  const none = el("p", {}, "There is no calibration for this choice.");
  return {
    node: el("section", { "aria-labelledby": "calibration-title" }, el("h2", { id: "calibration-title" }, "Calibration"), none, body),
    update(where) {
      const there = where.series.filter((s) => results.rows("calibration", where, s.id).length);
      none.hidden = there.length > 0;
      body.hidden = !there.length;
      if (!there.length) return;
      controls.forEach((control) => control.update());
      methods.update(there.map((s) => s.id));
      const entries = there.map((s) => [s, results.rows("calibration", where, s.id)]);
      const shown = entries.filter(([s]) => !state.list("hide").includes(s.id));
      drawCalibration(chart, shown, measure(), where);
      const hidden = entries.filter((entry) => !shown.includes(entry));
      note.textContent = hidden.length ? `Hidden: ${hidden.map(([s]) => s.label).join(", ")}.` : "";
      holder.replaceChildren(calibrationTable(entries, chosenTarget(), where));
    },
  };
}

function drawCalibration(chart, shown, name, where) {
  const [label, title, scale] = MEASURES[name];
  const emphasize = shown.some(([s]) => s.id === highlighted());
  chart.draw({
    height: 360,
    traces: shown.map(([s, rows]) => {
      const style = look(s.id);
      const strong = s.id === highlighted();
      const at = results.doc.targets.map((target) => ({ target, speedup: calibrationAt(rows, target, "speedup").mean, ...calibrationAt(rows, target, name) })).filter((point) => !missing(point.mean));
      return {
        type: "scatter", mode: "lines+markers", name: plain(s.label), x: at.map((point) => point.speedup), y: at.map((point) => scale * point.mean),
        line: { color: style.color, dash: style.dash, width: strong ? 3.5 : emphasize ? 1.4 : 2 }, marker: { symbol: style.symbol, size: 8, color: style.color },
        error_y: strong || !emphasize ? { type: "data", array: at.map((point) => (missing(point.spread) ? 0 : scale * point.spread)), thickness: 1, width: 3 } : undefined,
        text: at.map((point) => `sought ${point.target}×, ${count(point.seeds, "seed")}`),
        hovertemplate: `<b>${plain(s.label)}</b><br>%{x:.2f}×: %{y:.3f}<br>%{text}<extra></extra>`, meta: { series: s.id, part: name },
      };
    }),
    layout: { xaxis: { title: { text: "speed-up in layers (×)" } }, yaxis: { title: { text: title } } },
    caption: `${label} on ${where.split} of ${results.taskLabel(where.task)} at the thresholds for target speed-ups, mean over seeds${emphasize ? "; bars: standard deviation, of the highlighted method" : "; bars: standard deviation"}. ${MEASURE_NOTES[name]}`,
    description: `${label}, ${where.split} of ${results.taskLabel(where.task)}: the values are in the table below.`,
    data: () => ({
      columns: ["method", "exit_rule", "seed", "target_speedup", "threshold", "speedup", ...Object.keys(MEASURES)],
      rows: shown.flatMap(([s, rows]) => rows.map((row) => [s.label, s.rule, row.seed, row.target_speedup, row.threshold, row.speedup, ...Object.keys(MEASURES).map((each) => row[each])])),
    }),
  });
}

function calibrationTable(entries, target, where) {
  const names = ["early", "exit_bias", "ece", "ece_last", "nll", "nll_last"];
  const columns = [{ name: "Method", rowHead: true }, { name: "Speed-up", number: true }, ...names.map((name) => ({ name: MEASURES[name][0], number: true }))];
  const cell = (rows, name) => {
    const { mean, spread } = calibrationAt(rows, target, name);
    const [, , scale] = MEASURES[name];
    const digits = scale === 1 ? 3 : 1;
    if (missing(mean)) return NONE;
    return `${(scale * mean).toFixed(digits).replace("-", "−")}${missing(spread) ? "" : ` ± ${(scale * spread).toFixed(digits)}`}`;
  };
  const cells = entries.map(([s, rows]) => [s.label, times(calibrationAt(rows, target, "speedup").mean), ...names.map((name) => cell(rows, name))]);
  const caption = `${results.taskLabel(where.task)}, ${where.split}, thresholds for ${target}×: mean ± standard deviation over seeds. Early, exit bias and ECE in percent, NLL in nats.`;
  return table(caption, columns, cells, { marked: (index) => entries[index][0].id === highlighted() });
}
