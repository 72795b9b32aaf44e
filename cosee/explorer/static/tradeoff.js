// Trade-off view: score against speed-up, all methods of a task, and their differences at equal cost.

const AXIS = {
  layers: { title: "speed-up in layers (×)", column: "speedup" },
  flops: { title: "speed-up in FLOPs, exits included (×)", column: "flops" },
  wall: { title: "measured wall-clock speed-up (×)", column: null },
};

const tradeoffView = {
  name: "tradeoff",
  title: "Trade-off",

  mount(host) {
    this.controls = [
      ...placeControls(),
      selector("Speed-up in", "axis", () => this.axes(), () => this.axis()),
      selector("Axis", "scale", () => [["linear", "linear"], ["log", "logarithmic"]], () => state.get("scale", "linear")),
      selector("Up to", "upto", () => this.ends(), () => this.end()),
      checkbox("bands of seeds", "bands", true),
      checkbox("single seeds", "seeds", false),
      ...[["random exits", "random"], ["oracle", "oracle"], ["models of k layers", "static"]].map(([label, name]) =>
        checkbox(label, name, name !== "oracle", { mark: swatch(`${name}|`), there: () => results.selected().controls.some((c) => c.variant === name) }),
      ),
    ];
    this.methods = new MethodList();
    this.chart = new Chart("tradeoff", "Score against speed-up.");
    this.note = el("p", { class: "hidden-note", id: "hidden" });
    this.comparison = comparisonPanel();
    host.replaceChildren(
      el("h2", {}, "Trade-off"),
      el("div", { class: "controls" }, this.controls.map((control) => control.node)),
      el("div", { class: "split" }, el("div", {}, this.chart.node, this.note), this.methods.node),
      this.comparison.node,
    );
  },

  axes() {
    const measured = wallClock(results.selected()).length > 0;
    return [["layers", "layers"], ["flops", "FLOPs"], ...(measured ? [["wall", "wall-clock time"]] : [])];
  },
  axis() {
    return pick(state.get("axis"), this.axes().map(([value]) => value));
  },
  ends() {
    const { depth } = results.selected();
    return [...[4, 6, 12].filter((end) => end < depth).map((end) => [String(end), `${end}×`]), [String(depth), `${depth}×, the end`]];
  },

  end() {
    return pick(state.get("upto", "6"), this.ends().map(([value]) => value).toReversed());
  },

  update() {
    const where = results.selected();
    this.controls.forEach((control) => control.update());
    this.methods.update(where.series.map((series) => series.id));
    const axis = this.axis();
    const series = shownSeries(where);
    const end = Number(this.end());
    const traces = axis === "wall" ? wallTraces(where) : lineTraces(where, series, axis);
    const log = state.get("scale") === "log";
    const range = log ? [Math.log10(0.98), Math.log10(end * 1.02)] : [1 - 0.02 * end, end * 1.01];
    const ticks = [1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24].filter((tick) => tick <= end);
    const { label, score } = results.doc.tasks[where.task];
    this.chart.draw({
      traces,
      height: 440,
      layout: {
        xaxis: {
          title: { text: AXIS[axis].title }, type: log ? "log" : "linear", range: axis === "wall" ? undefined : range,
          autorange: axis === "wall", ...(log ? { tickvals: ticks, ticktext: ticks.map(String) } : { tickvals: undefined }),
        },
        yaxis: { title: { text: `${score} (%)` }, ...scoreRange(traces, axis === "wall" ? Infinity : end) },
      },
      caption: `${label}, ${where.split}, ${shortLabel(where.backbone)}. Lines are means over seeds; bands reach from the lowest to the highest seed.`,
      description: `${label}, ${where.split}: ${series.length} methods, ${series.map((s) => s.label).join(", ")}. Scores at equal speed-up are in the table below.`,
      data: () => tradeoffNumbers(where, axis === "wall" ? [] : [...series, ...shownControls(where)]),
    });
    this.note.textContent = hiddenNote(where, series, end, axis);
    this.comparison.update(where);
  },
};

const shownControls = (where) => where.controls.filter((c) => isOn(c.variant, c.variant !== "oracle"));

function lineTraces(where, series, axis) {
  const traces = [];
  const highlight = highlighted();
  const ordered = [...shownControls(where), ...series.filter((s) => s.id !== highlight), ...series.filter((s) => s.id === highlight)];
  const emphasize = series.some((s) => s.id === highlight);
  for (const s of ordered) {
    const curves = results.curves(where, s.id);
    const band = results.band(where, s.id);
    const style = look(s.id);
    const strong = s.id === highlight || !emphasize;
    const line = { color: style.color, dash: style.dash, width: s.kind === "control" ? 1.5 : s.id === highlight ? 3.5 : emphasize ? 1.4 : 2 };
    const opacity = strong || s.kind === "control" ? 1 : series.length > 8 ? 0.6 : 0.85;
    if (s.variant === "static") {
      traces.push(staticTrace(s, curves, axis, style));
      continue;
    }
    if (band && isOn("bands", true) && s.kind !== "control" && strong) traces.push(bandTrace(s, band[axis], style.color));
    if (band) traces.push(meanTrace(s, curves, band, axis, { line, opacity }));
    if (!band || (isOn("seeds", false) && s.kind !== "control"))
      for (const curve of curves) traces.push(seedTrace(s, curve, axis, { line: { ...line, width: band ? 1 : line.width }, opacity: band ? 0.6 : opacity, style }));
  }
  return traces;
}

const asPercent = (values) => Array.from(values, (value) => 100 * value);

function bandTrace(s, { x, low, high }, color) {
  const there = [...x.keys()].filter((i) => !Number.isNaN(low[i]));
  return {
    type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false, name: `${plain(s.label)}, seeds`,
    x: [...there.map((i) => x[i]), ...there.toReversed().map((i) => x[i])],
    y: [...there.map((i) => 100 * high[i]), ...there.toReversed().map((i) => 100 * low[i])],
    line: { width: 0 }, fill: "toself", fillcolor: `${color}30`, meta: { series: s.id, part: "band" },
  };
}

function meanTrace(s, curves, band, axis, style) {
  const { x, mean, low, high } = band[axis];
  const text = Array.from(x, (speedup, i) => {
    const spread = `${percent(low[i])} to ${percent(high[i])}, ${band.seeds} seeds`;
    const thresholds = curves.map((curve) => digits(curve.threshold[nearest(curve[AXIS[axis].column], speedup)]));
    const rule = s.variant === "oracle" ? "" : `<br>threshold ${thresholds.join(", ")}`;
    return `<b>${plain(s.label)}</b><br>${times(speedup)}, score ${percent(mean[i])} %<br>${spread}${rule}`;
  });
  return {
    type: "scatter", mode: "lines", name: plain(s.label), x: Array.from(x), y: asPercent(mean), text,
    hovertemplate: "%{text}<extra></extra>", ...style, meta: { series: s.id, part: "mean" },
  };
}

function seedTrace(s, curve, axis, { line, opacity, style }) {
  const x = Array.from(curve[AXIS[axis].column]);
  const text = x.map(
    (speedup, i) => `<b>${plain(s.label)}</b>, seed ${curve.seed}<br>${times(speedup)}, score ${percent(curve.score[i])} %` +
      (missing(curve.threshold[i]) ? "" : `<br>threshold ${digits(curve.threshold[i])}${modelAt(curve, i)}`),
  );
  const few = x.length <= 12;
  return {
    type: "scatter", mode: few ? "lines+markers" : "lines", marker: { color: style.color, symbol: style.symbol, size: 8 },
    name: `${plain(s.label)}${results.byId.get(s.id).kind === "control" ? "" : `, seed ${curve.seed}`}`, x, y: asPercent(curve.score),
    text, hovertemplate: "%{text}<extra></extra>", line, opacity, meta: { series: s.id, part: "seed" },
  };
}

const modelAt = (curve, i) => (curve.states?.length > 1 ? `<br>${plain(stateName(curve.states, curve.state[i]))}` : "");
function stateName(states, place) {
  const several = new Set(states.map((state_) => state_.model)).size > 1;
  return several ? states[place].model : states[place].rule;
}

function staticTrace(s, curves, axis, style) {
  const column = AXIS[axis].column;
  const all = curves.flatMap((curve) => Array.from(curve[column], (x, i) => [x, 100 * curve.score[i], curve.seed]));
  all.sort((a, b) => a[0] - b[0]);
  return {
    type: "scatter", mode: "markers", name: plain(s.label), x: all.map((p) => p[0]), y: all.map((p) => p[1]),
    text: all.map(([x, y, seed]) => `<b>model of fewer layers</b>, seed ${seed}<br>${times(x)}, score ${y.toFixed(2)} %`),
    hovertemplate: "%{text}<extra></extra>", marker: { color: style.color, symbol: "x-thin", size: 8, line: { width: 2, color: style.color } },
    meta: { series: s.id, part: "static" },
  };
}

// Wall-clock speed-ups that were measured, with the scores of the same thresholds on the split.
function wallClock(where) {
  return (results.doc.latency ?? [])
    .filter((row) => row.task === where.task && row.backbone === where.backbone)
    .map((row) => {
      const found = results.atTargets(where, row.series).find((r) => r.seed === row.seed && r.target_speedup === row.target_speedup);
      return { ...row, score: found?.score };
    })
    .filter((row) => !missing(row.score));
}

function wallTraces(where) {
  const rows = wallClock(where);
  const sizes = [...new Set(rows.map((row) => row.batch_size))];
  return sizes.map((size, place) => {
    const those = rows.filter((row) => row.batch_size === size);
    return {
      type: "scatter", mode: "lines+markers", name: `${plain(results.label(those[0].series))}, batches of ${size}`,
      x: those.map((r) => r.wall_speedup), y: those.map((r) => 100 * r.score),
      line: { color: stackColor(place), dash: DASHES[place % 4] }, marker: { symbol: SYMBOLS[place], size: 9 },
      text: those.map((r) => `<b>${plain(results.label(r.series))}</b>, batches of ${size}<br>${times(r.wall_speedup)} in time, ${times(r.layer_speedup)} in layers<br>score ${percent(r.score)} %, threshold ${digits(r.threshold)}`),
      hovertemplate: "%{text}<extra></extra>", meta: { series: those[0].series, part: "wall" },
    };
  });
}

// The range of the scores that are drawn up to the end of the axis; the oracle may run out of it.
function scoreRange(traces, end) {
  let [low, high] = [Infinity, -Infinity];
  for (const trace of traces) {
    if (trace.meta.series.startsWith("oracle")) continue;
    trace.y.forEach((y, i) => {
      if (trace.x[i] > end || missing(y)) return;
      low = Math.min(low, y);
      high = Math.max(high, y);
    });
  }
  if (low > high) return { autorange: true };
  const room = 0.05 * Math.max(high - low, 1);
  return { autorange: false, range: [low - room, high + 2 * room] };
}

function hiddenNote(where, series, end, axis) {
  const parts = [];
  const hidden = where.series.filter((s) => !series.includes(s));
  if (axis === "wall") return "Wall-clock time was measured for this method alone, at the thresholds sought for target speed-ups; the other methods are not shown on this axis.";
  if (hidden.length) parts.push(`Hidden: ${hidden.map((s) => s.label).join(", ")}.`);
  const off = where.controls.filter((c) => !isOn(c.variant, c.variant !== "oracle"));
  if (off.length) parts.push(`Controls switched off: ${off.map((c) => c.label).join(", ")}.`);
  const absent = results.doc.series.filter((s) => s.kind === "own" || (s.kind === "signal" && s.rule === where.rule)).filter((s) => !where.series.includes(s));
  if (absent.length) parts.push(`No results on this task, encoder and split: ${absent.map((s) => s.label).join(", ")}.`);
  if (end < where.depth) parts.push(`Operating points beyond ${end}× are outside the chart.`);
  const emphasized = series.some((s) => s.id === highlighted());
  if (emphasized && series.length > 1 && isOn("bands", true)) parts.push("Bands are drawn for the highlighted method only; without a highlight, for all.");
  parts.push("Of a curve, at most 240 operating points are kept.");
  return parts.join(" ");
}

function tradeoffNumbers(where, series) {
  const columns = ["task", "backbone", "split", "method", "exit_rule", "seed", "threshold", "speedup", "speedup_flops", "score", "accuracy"];
  const rows = series.flatMap((s) =>
    results.curves(where, s.id).flatMap((curve) =>
      Array.from(curve.speedup, (speedup, i) => [
        where.task, where.backbone, where.split, s.label, s.rule, curve.seed, curve.threshold[i], speedup, curve.flops[i], curve.score[i], curve.accuracy[i],
      ]),
    ),
  );
  return { columns, rows };
}

// Place of the value nearest to x among ascending ones.
function nearest(values, x) {
  let [low, high] = [0, values.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < x) low = middle;
    else high = middle;
  }
  return x - values[low] <= values[high] - x ? low : high;
}
