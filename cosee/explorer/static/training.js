// Training view: moving average of the cross-entropy as in Figure 6, and the range of the thresholds, by seed.

const trainingView = {
  name: "training",
  title: "Training",

  mount(host) {
    const where = () => this.where();
    this.controls = [
      selector("Task", "task", () => [...new Set(results.doc.training.map((run) => run.task))].map((task) => [task, results.taskLabel(task)]), () => where().task),
      selector("Encoder", "backbone", () => where().backbones.map((b) => [b, shortLabel(b)]), () => where().backbone),
      selector("Exit signal", "rule", () => results.selected().rules.map((r) => [r, r]), () => results.selected().rule),
    ];
    this.methods = new MethodList();
    this.loss = new Chart("loss", "Training loss.");
    this.range = new Chart("thresholds", "Range of the thresholds.");
    this.note = el("p", { class: "hidden-note" });
    host.replaceChildren(
      el("h2", {}, "Training"),
      el("div", { class: "controls" }, this.controls.map((control) => control.node)),
      el("div", { class: "split" }, el("div", {}, this.loss.node, this.range.node, this.note), this.methods.node),
    );
  },

  where() {
    const runs = results.doc.training;
    const task = results.task([...new Set(runs.map((run) => run.task))]);
    const backbones = Object.keys(results.doc.backbones).filter((name) => runs.some((run) => run.task === task && run.backbone === name));
    return { task, backbones, backbone: pick(state.get("backbone"), backbones) };
  },

  update() {
    this.controls.forEach((control) => control.update());
    const where = this.where();
    const { rule } = results.selected();
    const runs = results.doc.training.filter((run) => run.task === where.task && run.backbone === where.backbone);
    // One model may serve several exit rules: a series has the runs of its variant, of its own signal where each has one.
    const own = (series) => {
      const those = runs.filter((run) => run.variant === series.variant);
      const named = those.filter((run) => run.name === `${series.variant}-${series.rule}`);
      return named.length ? named : those;
    };
    const series = results.doc.series.filter((s) => (s.kind === "own" || (s.kind === "signal" && s.rule === rule)) && own(s).length);
    this.methods.update(series.map((s) => s.id));
    const shown = series.filter((s) => !state.list("hide").includes(s.id)).flatMap((s) => own(s).map((run) => [s, run]));
    const several = new Set(shown.map(([, run]) => run.seed)).size > 1;
    const line = (s, run) => ({ ...look(s.id), width: s.id === highlighted() ? 2.6 : 1.3 });
    const name = (s, run) => `${plain(s.label)}${several ? `, seed ${run.seed}` : ""}`;
    const span = shown[0]?.[1].span ?? 1;
    this.loss.draw({
      height: 360,
      traces: shown.map(([s, run]) => ({
        type: "scatter", mode: "lines", name: name(s, run), x: Array.from(run.step), y: Array.from(run.loss),
        line: { color: line(s, run).color, dash: line(s, run).dash, width: line(s, run).width }, opacity: s.id === highlighted() ? 1 : 0.7,
        hovertemplate: `<b>${plain(s.label)}</b>, seed ${run.seed}<br>step %{x}: %{y:.4f}<extra></extra>`, meta: { series: s.id, part: "loss", seed: run.seed },
      })),
      layout: { xaxis: { title: { text: `step (moving average over ${span})` } }, yaxis: { title: { text: "cross-entropy (nats)" } } },
      caption: `${results.taskLabel(where.task)}: cross-entropy, unweighted mean over all exits, one line per seed.`,
      data: () => trainingNumbers(shown),
    });
    const ranged = shown.filter(([, run]) => run.low);
    this.range.node.hidden = !ranged.length;
    if (ranged.length)
      this.range.draw({
        height: 280,
        traces: ranged.flatMap(([s, run]) => ["low", "high"].map((end) => ({
          type: "scatter", mode: "lines", name: `${name(s, run)}, ${end}`, x: Array.from(run.step), y: Array.from(run[end]),
          line: { color: look(s.id).color, width: s.id === highlighted() ? 2.4 : 1.2, dash: end === "low" ? "dot" : "solid" },
          hovertemplate: `<b>${plain(s.label)}</b>, seed ${run.seed}<br>step %{x}: ${end}est %{y:.4f}<extra></extra>`, meta: { series: s.id, part: end, seed: run.seed },
        }))),
        layout: { xaxis: { title: { text: "step" } }, yaxis: { title: { text: "threshold" } } },
        caption: "Highest (solid) and lowest (dotted) threshold that training draws from; one pair of lines per seed.",
        data: () => trainingNumbers(ranged),
      });
    const hidden = series.filter((s) => state.list("hide").includes(s.id));
    this.note.textContent =
      (hidden.length ? `Hidden: ${hidden.map((s) => s.label).join(", ")}. ` : "") +
      (ranged.length ? "" : "The range of the thresholds is not at hand: only trainings with sample weighting have one, and published runs do not keep it. ") +
      "Of a training, at most 160 steps are kept.";
  },
};

function trainingNumbers(shown) {
  const columns = ["method", "seed", "step", "mean_ce_smoothed", "threshold_low", "threshold_high"];
  const rows = shown.flatMap(([s, run]) => Array.from(run.step, (step, i) => [s.label, run.seed, step, run.loss[i], run.low?.[i], run.high?.[i]]));
  return { columns, rows };
}
