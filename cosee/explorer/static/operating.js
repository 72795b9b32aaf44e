// Operating-point view: what one method does at one speed-up, example by example, counted.

const OUTCOMES = ["right", "late", "premature", "wrong"];
const OUTCOME_NAMES = {
  right: "right",
  late: "late",
  premature: "premature",
  wrong: "wrong at full depth too",
};

const operatingView = {
  name: "operating",
  title: "Operating point",

  mount(host) {
    this.controls = [...curveControls(), selector("Bars by", "stack", () => this.stacks(), () => pick(state.get("stack"), this.stacks().map(([v]) => v)))];
    this.slider = pointSlider();
    this.steps = new StepCharts();
    this.readout = el("dl", { class: "readout", id: "readout" });
    this.note = el("p", { class: "hidden-note" });
    this.charts = {
      exits: new Chart("exits", "Exit layers."),
      outcome: new Chart("outcomes", "Premature and late exits."),
      accuracy: new Chart("accuracy", "Accuracy per exit."),
      dis: new Chart("dis", "Difficulty inversion score (DIS)."),
    };
    this.confusion = el("div", { id: "confusion" });
    this.change = el("div", { id: "change" });
    this.exitLinks = el("div", { class: "tools" });
    this.charts.exits.node.append(this.exitLinks);
    this.charts.exits.onclick = (point) => showExamples({ exit: point.x });
    const toPremature = () => showExamples({ filter: "premature" });
    this.charts.outcome.node.append(el("div", { class: "tools" }, el("button", { type: "button", onclick: toPremature }, "Show the premature examples")));
    this.claims = el("p");
    this.charts.dis.node.append(this.claims);
    this.body = el(
      "div",
      {},
      el("div", { class: "pair" }, Object.values(this.charts).map((chart) => chart.node), this.steps.nodes),
      el("div", { class: "pair" }, this.confusion, this.change),
    );
    host.replaceChildren(
      el("h2", {}, "Operating point"),
      el("div", { class: "controls" }, this.controls.map((control) => control.node), this.slider.nodes),
      this.readout,
      this.note,
      this.body,
    );
  },

  stacks() {
    const steps = selectedCurve().examples?.steps ? [["steps", "steps needed"]] : [];
    return [["class", "class"], ...steps];
  },

  update() {
    const selection = selectedCurve();
    this.controls.forEach((control) => control.update());
    this.body.hidden = this.readout.hidden = !selection.curve;
    if (!selection.curve) {
      this.note.textContent = "No stored outputs for this choice.";
      return;
    }
    const k = selectedPoint(selection);
    this.slider.update(selection, k);
    const { curve, examples, where } = selection;
    const at = answersAt(curve, k);
    const outcomes = outcomesAt(at, examples.labels);
    this.fillReadout(selection, k, outcomes);
    this.note.textContent =
      (examples.count < examples.total ? `Counts are over ${sampleNote(examples)}; speed-up and score are those of all. ` : "") +
      `One seed: ${curve.seed}. ` + (curve.states.length > 1 ? `Model or rule here: ${stateName(curve.states, curve.state[k])}.` : "");
    this.drawExits(selection, at);
    this.drawOutcomes(at, outcomes);
    this.drawAccuracy(selection, at);
    this.drawDis(selection);
    this.steps.update(selection, at);
    this.linkExits(at.depth);
    this.claims.replaceChildren(...claimsLink("points of DIS", "DIS"));
    const classes = results.doc.tasks[where.task].classes;
    this.confusion.replaceChildren(confusionTable(confusion(at.answers, examples.labels, classes), classes));
    this.change.replaceChildren(changeTable(selection));
  },

  fillReadout(selection, k, outcomes) {
    const { curve, where } = selection;
    const row = setBy(selection) === "certified" ? certifiedRow(selection) : null;
    const promise = row ? [["Promised risk", percentOf(row.level)], ["Realized risk", `${percent(row.risk)} %`], ["Speed-up that is left", times(row.speedup)]] : [];
    const share = (name) => outcomes.filter((outcome) => outcome === name).length / outcomes.length;
    const facts = [
      ...promise,
      ["Speed-up in layers", times(curve.speedup[k])],
      ["Speed-up in FLOPs", times(curve.flops[k])],
      [`Score: ${results.doc.tasks[where.task].score}`, `${percent(curve.score[k])} %`],
      ["Score at full depth", `${percent(curve.score[0])} %`],
      ["Threshold", digits(curve.threshold[k])],
      ["Premature (risk)", `${percent(share("premature"))} %`],
      ["Late", `${percent(share("late"))} %`],
    ];
    this.readout.replaceChildren(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", { "data-fact": name }, value))));
  },

  // One button for each layer: its examples.
  linkExits(depth) {
    if (this.linked === depth && this.exitLinks.childElementCount) return;
    this.linked = depth;
    const button = (_, m) => el("button", { type: "button", "data-exit": m + 1, "aria-label": `Show the examples that exit at layer ${m + 1}`, onclick: () => showExamples({ exit: m + 1 }) }, String(m + 1));
    this.exitLinks.replaceChildren(el("span", {}, "Show the examples of layer"), ...Array.from({ length: depth }, button));
  },

  drawExits({ examples, where }, { exits, depth }) {
    const steps = pick(state.get("stack"), this.stacks().map(([v]) => v)) === "steps";
    const classes = results.doc.tasks[where.task].classes;
    const levels = steps ? [...new Set(examples.steps)].sort((a, b) => a - b) : null;
    const names = steps ? levels.map((level) => count(level, "step")) : classes;
    const groupOf = steps ? (n) => levels.indexOf(examples.steps[n]) : (n) => examples.labels[n];
    drawStack(this.charts.exits, names, histogram(exits, groupOf, names, depth), {
      colors: names.map((_, place) => stackColor(place)),
      caption: steps ? "Examples that exit at each layer, by the steps that their answer takes." : "Examples that exit at each layer, by class.",
      group: steps ? "steps" : "class",
    });
  },

  drawOutcomes({ exits, depth }, outcomes) {
    const counts = histogram(exits, (n) => OUTCOMES.indexOf(outcomes[n]), OUTCOMES, depth);
    const colors = OUTCOME_COLORS();
    drawStack(this.charts.outcome, OUTCOMES.map((name) => OUTCOME_NAMES[name]), counts, {
      colors: OUTCOMES.map((name) => colors[name]),
      caption: "Premature: wrong here, right at full depth. Late: right, as the exit before already was.",
      group: "outcome",
    });
  },

  drawAccuracy({ where, id, curve, examples }, { exits, answers, depth }) {
    const layers = results.layers(where, id).filter((entry) => entry.seed === curve.seed);
    const own = layers.find((entry) => entry.model === curve.states[0].model) ?? layers[0];
    const right = new Array(depth).fill(0);
    const all = new Array(depth).fill(0);
    exits.forEach((exit, n) => {
      all[exit]++;
      right[exit] += answers[n] === examples.labels[n];
    });
    const x = all.map((_, m) => m + 1);
    const taken = all.map((total, m) => (total ? (100 * right[m]) / total : null));
    const every = own ? Array.from(own.accuracy, (value) => 100 * value) : [];
    this.charts.accuracy.draw({
      traces: [
        { type: "scatter", mode: "lines+markers", name: "the exit for all examples", x, y: every, line: { color: themeColor("right") }, hovertemplate: "layer %{x}: %{y:.2f} %<extra>all examples</extra>", meta: { series: id, part: "all" } },
        { type: "scatter", mode: "markers", name: "those that exit there", x, y: taken, marker: { symbol: "diamond", size: 9, color: themeColor("wrong") }, text: all.map((n) => count(n, "example")), hovertemplate: "layer %{x}: %{y:.2f} % of %{text}<extra>exiting</extra>", meta: { series: id, part: "exiting" } },
      ],
      layout: { ...layerAxis("accuracy (%)"), showlegend: true },
      caption: "Of each exit used for all examples, and of the examples that exit there.",
      data: () => ({ columns: ["layer", "accuracy_all", "accuracy_exiting", "examples_exiting"], rows: x.map((layer, m) => [layer, (every[m] ?? NaN) / 100, taken[m] === null ? null : taken[m] / 100, all[m]]) }),
    });
  },

  drawDis({ where, id }) {
    const shown = where.series.filter((s) => s.id === id || (s.kind === "signal" && !state.list("hide").includes(s.id)));
    if (!this.charts.dis.changes(id, where.task, where.backbone, where.split, where.rule, state.get("hide"))) return;
    const lines = shown.map((s) => [s, seedMean(results.dis(where, s.id), "dis")]).filter(([, line]) => line);
    this.charts.dis.draw({
      traces: lines.map(([s, line]) => {
        const style = look(s.id);
        return {
          type: "scatter", mode: "lines+markers", name: plain(s.label), x: line.layers, y: line.mean,
          line: { color: style.color, dash: style.dash, width: s.id === id ? 3.5 : 1.5 }, marker: { symbol: style.symbol, size: 7, color: style.color },
          error_y: line.seeds > 1 ? { type: "data", array: line.spread, thickness: 1, width: 3 } : undefined,
          hovertemplate: `<b>${plain(s.label)}</b>, layer %{x}: %{y:.2f} %<extra></extra>`, meta: { series: s.id, part: "dis" },
        };
      }),
      layout: { ...layerAxis("DIS (%)"), showlegend: true },
      caption: "Share of pairs of a right and a wrong prediction that the exit signal puts in order, mean ± standard deviation over seeds; higher is better." + meanDis(lines),
      data: () => ({ columns: ["method", "layer", "dis_mean", "dis_sd", "seeds"], rows: lines.flatMap(([s, line]) => line.layers.map((layer, m) => [s.label, layer, line.mean[m], line.spread[m], line.seeds])) }),
    });
  },
};

const showExamples = (changes) => state.go({ view: "examples", filter: null, exit: null, page: null, q: null, ...changes });

// The DIS of each method in one number, the highest first.
function meanDis(lines) {
  const means = lines.map(([s, { mean }]) => [s.label, mean.reduce((sum, value) => sum + value, 0) / mean.length]);
  means.sort((a, b) => b[1] - a[1]);
  return ` Mean over exits: ${means.map(([label, mean]) => `${label} ${missing(mean) ? NONE : mean.toFixed(1)}`).join(", ")}.`;
}

const layerAxis = (title) => ({ xaxis: { title: { text: "layer" }, dtick: 1, automargin: true }, yaxis: { title: { text: title } } });

function drawStack(chart, names, counts, { colors, caption, group: groupName }) {
  const x = counts[0].map((_, m) => m + 1);
  chart.draw({
    traces: names.map((name, g) => ({
      type: "bar", name: plain(name), x, y: counts[g], marker: { color: colors[g], line: { width: 0.5, color: themeColor("ground") }, pattern: { shape: ["", "/", ".", "x", "-"][g % 5], fillmode: "overlay", size: 6, solidity: 0.25, fgcolor: themeColor("ground") } },
      hovertemplate: `layer %{x}: %{y}<extra>${plain(name)}</extra>`, meta: { series: name, part: groupName },
    })),
    layout: { barmode: "stack", ...layerAxis("examples"), showlegend: true, legend: { traceorder: "normal" } },
    caption,
    description: `${caption} ${names.map((name, g) => `${name}: ${counts[g].join(", ")}`).join("; ")}.`,
    data: () => ({ columns: ["layer", groupName, "examples"], rows: names.flatMap((name, g) => counts[g].map((value, m) => [m + 1, name, value])) }),
  });
}

function seedMean(entries, name) {
  if (!entries.length) return null;
  const layers = Array.from(entries[0].layer);
  const mean = layers.map((_, m) => entries.reduce((sum, entry) => sum + entry[name][m], 0) / entries.length);
  const spread = layers.map((_, m) =>
    entries.length < 2 ? null : Math.sqrt(entries.reduce((sum, entry) => sum + (entry[name][m] - mean[m]) ** 2, 0) / (entries.length - 1)),
  );
  return { layers, mean, spread, seeds: entries.length };
}
