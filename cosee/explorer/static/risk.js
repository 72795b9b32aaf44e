// Certified risks: what was promised on calibration examples, what came of it elsewhere, and the speed-up that is left.

const LOSSES = {
  same: "answers other than at full depth",
  harm: "wrong answers where full depth is right",
  error: "wrong answers",
};
const PROCEDURES = {
  naive: "naive (promises nothing)",
  crc: "crc (in the mean)",
  ltt: "ltt (with confidence)",
  shared: "shared",
  lynx: "lynx",
};
const RISK_NAMES = { loss: ["Loss", LOSSES], procedure: ["Procedure", PROCEDURES] };

// Loss and procedure that the state names, of those that there are; as the workflow's table, if they are there.
function riskChoice(rows) {
  const there = (name) => [...new Set(rows.map((row) => row[name]))];
  const choose = (name, first) => pick(state.get(name, first), there(name));
  return { loss: choose("loss", "same"), procedure: choose("procedure", "ltt") };
}

function riskSelector(name, rows) {
  const [label, names] = RISK_NAMES[name];
  return selector(label, name, () => [...new Set(rows().map((row) => row[name]))].map((value) => [value, names[value] ?? value]), () => riskChoice(rows())[name]);
}

const promiseText = (row) => `at most ${percentOf(row.level)} ${LOSSES[row.loss] ?? row.loss}`;
const percentOf = (share) => `${Number((100 * share).toFixed(4))} %`;
const meanOf = (rows, name) => rows.reduce((sum, row) => sum + row[name], 0) / rows.length;

// Means over seeds; above: whether the limits of some seed say that the risk is beyond the promise.
function riskSummary(rows) {
  const [first] = rows;
  return {
    ...first,
    risk: meanOf(rows, "risk"), speedup: meanOf(rows, "speedup"), flops: meanOf(rows, "speedup_flops"), score: meanOf(rows, "score"),
    lowest: Math.min(...rows.map((row) => row.risk)), highest: Math.max(...rows.map((row) => row.risk)),
    slowest: Math.min(...rows.map((row) => row.speedup)), fastest: Math.max(...rows.map((row) => row.speedup)),
    above: Math.max(...rows.map((row) => row.low)) > first.level, seeds: rows.length, certified: rows.filter((row) => !missing(row.threshold)).length,
  };
}

const outcomeOf = ({ above, risk, level }) => (above ? "above the promise" : risk > level ? "above, within chance" : "kept");

function riskPanel() {
  const rowsOfAll = () => {
    const where = results.selected();
    return where.series.flatMap((s) => results.rows("risk", where, s.id));
  };
  const methods = () => {
    const where = results.selected();
    return where.series.filter((s) => results.rows("risk", where, s.id).length);
  };
  const method = () => pick(state.get("method", results.doc.reference), methods().map((s) => s.id));
  const levels = () => [...new Set(rowsOfAll().map((row) => row.level))].sort((a, b) => a - b);
  const level = () => Number(pick(state.get("level", "0.05"), levels().map(String)));
  const controls = [
    selector("Method", "method", () => methods().map((s) => [s.id, s.label]), method),
    riskSelector("loss", rowsOfAll),
    riskSelector("procedure", rowsOfAll),
    selector("Promised risk", "level", () => levels().map((value) => [String(value), percentOf(value)]), () => String(level())),
  ];
  const bar = el("div", { class: "controls" }, controls.map((control) => control.node));
  const answer = el("p", { class: "answer", id: "promise" });
  const promised = new Chart("risk", "Promised and realized risk.");
  const left = new Chart("risk-speedup", "Speed-up that is left.");
  const charts = el("div", { class: "pair" }, promised.node, left.node);
  const holder = el("div", { id: "risks" });
  return {
    node: el("section", { "aria-labelledby": "risk-title" }, el("h2", { id: "risk-title" }, "Promised risk"), bar, answer, charts, holder),
    update(where) {
      const any = methods().length > 0;
      bar.hidden = charts.hidden = holder.hidden = !any;
      if (!any) {
        answer.textContent = results.doc.risk ? "For this choice no thresholds were certified; there are some for other tasks or exit signals." : "No thresholds were certified here: this takes calibration examples (protocol.cal_max), on which nothing else is chosen.";
        return;
      }
      controls.forEach((control) => control.update());
      const { loss, procedure } = riskChoice(rowsOfAll());
      const of = (id, wanted) => results.rows("risk", where, id).filter((row) => row.loss === loss && Object.entries(wanted).every(([name, value]) => row[name] === value));
      const chosen = of(method(), { procedure, level: level() });
      answer.textContent = chosen.length ? promiseSentence(where, method(), riskSummary(chosen)) : `${results.label(method())} has no thresholds by this procedure: it takes a quantile of scores, for which there must be one model.`;
      const curves = [...new Set(results.rows("risk", where, method()).map((row) => row.procedure))].map((name) => [name, levels().map((value) => of(method(), { procedure: name, level: value })).filter((rows) => rows.length).map(riskSummary)]);
      drawRisk(promised, method(), curves, loss, where);
      drawSpeedupLeft(left, method(), curves, where);
      holder.replaceChildren(riskTable(methods().map((s) => [s, of(s.id, { procedure, level: level() })]).filter(([, rows]) => rows.length).map(([s, rows]) => [s, riskSummary(rows)]), where, loss, procedure, level(), method()));
    },
  };
}

function promiseSentence(where, id, row) {
  const promise = `${results.label(id)} on ${results.taskLabel(where.task)}, promised by ${row.procedure}${row.procedure === "ltt" ? ` with ${percentOf(row.confidence)} confidence` : ""}: ${promiseText(row)}`;
  if (!row.certified) return `${promise}. The ${row.num_calibration} calibration examples certify no threshold for it: every example goes to full depth.`;
  const seeds = row.certified < row.seeds ? ` (a threshold was certified for ${row.certified} of ${row.seeds} seeds; the others go to full depth)` : "";
  return `${promise}. On ${where.split} it is ${percent(row.risk)} %, at ${times(row.speedup)}, mean over ${count(row.seeds, "seed")}${seeds}: ${outcomeOf(row)}.`;
}

const riskLook = (place) => ({ color: stackColor(place), dash: DASHES[place % 4], symbol: SYMBOLS[place] });

function riskTraces(curves, value, low, high, scale, id) {
  return curves.map(([name, rows], place) => {
    const { color, dash, symbol } = riskLook(place);
    const y = rows.map((row) => scale * row[value]);
    return {
      type: "scatter", mode: "lines+markers", name: PROCEDURES[name] ?? name, x: rows.map((row) => 100 * row.level), y, line: { color, dash, width: 2 }, marker: { color, symbol, size: 8 },
      error_y: { type: "data", symmetric: false, array: rows.map((row, i) => scale * row[high] - y[i]), arrayminus: rows.map((row, i) => y[i] - scale * row[low]), thickness: 1, width: 3 },
      text: rows.map((row) => `promised ${percentOf(row.level)}<br>realized ${percent(row.risk)} % (${count(row.seeds, "seed")})<br>${times(row.speedup)}, score ${percent(row.score)} %`),
      hovertemplate: `<b>${name}</b><br>%{text}<extra></extra>`, meta: { series: id, part: name },
    };
  });
}

function riskNumbers(curves, id, where) {
  return {
    columns: ["task", "backbone", "split", "method", "loss", "procedure", "level", "risk", "speedup", "speedup_flops", "score", "seeds", "seeds_certified", "calibration_examples"],
    rows: curves.flatMap(([name, rows]) => rows.map((row) => [where.task, where.backbone, where.split, results.label(id), row.loss, name, row.level, row.risk, row.speedup, row.flops, row.score, row.seeds, row.certified, row.num_calibration])),
  };
}

const levelAxis = { title: { text: "promised risk (%)" }, rangemode: "tozero" };

function drawRisk(chart, id, curves, loss, where) {
  const end = 100 * Math.max(...curves.flatMap(([, rows]) => rows.map((row) => row.level)));
  const promise = { type: "scatter", mode: "lines", name: "the promise", x: [0, end], y: [0, end], line: { color: themeColor("soft"), width: 1.5, dash: "dot" }, hoverinfo: "skip", meta: { series: id, part: "promise" } };
  chart.draw({
    height: 340,
    traces: [promise, ...riskTraces(curves, "risk", "lowest", "highest", 100, id)],
    layout: { xaxis: levelAxis, yaxis: { title: { text: "realized risk (%)" }, rangemode: "tozero" }, showlegend: true },
    caption: `${results.label(id)}, ${where.split}: share of ${LOSSES[loss] ?? loss}, mean over seeds; bars from the lowest to the highest seed. Above the dotted line is more than was promised.`,
    data: () => riskNumbers(curves, id, where),
  });
}

function drawSpeedupLeft(chart, id, curves, where) {
  chart.draw({
    height: 340,
    traces: riskTraces(curves, "speedup", "slowest", "fastest", 1, id),
    layout: { xaxis: levelAxis, yaxis: { title: { text: "speed-up in layers (×)" } }, showlegend: true },
    caption: `${results.label(id)}: what a promise leaves of the speed-up, mean over seeds; bars from the slowest to the fastest seed.`,
    data: () => riskNumbers(curves, id, where),
  });
}

function riskTable(entries, where, loss, procedure, level, id) {
  const columns = [{ name: "Method", rowHead: true }, ...["Realized risk (%)", "Speed-up", "Score (%)", "Seeds with a threshold"].map((name) => ({ name, number: true })), { name: "Promise" }];
  const cells = entries.map(([s, row]) => [s.label, percent(row.risk), times(row.speedup), percent(row.score), `${row.certified} of ${row.seeds}`, row.certified ? outcomeOf(row) : "no early exit"]);
  const caption = `${results.taskLabel(where.task)}, ${where.split}: thresholds of ${procedure} for at most ${percentOf(level)} ${LOSSES[loss] ?? loss}, means over seeds. Above the promise: even the lower 95 % limit (Clopper-Pearson) of a seed is.`;
  return table(caption, columns, cells, { marked: (index) => entries[index][0].id === id });
}
