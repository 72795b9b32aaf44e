// Differences at equal cost from any method, with intervals and verdicts, as a chart, a table and one sentence.

function comparisonPanel() {
  const target = selector("At speed-up", "target", () => results.doc.targets.map((t) => [String(t), `${t}×`]), () => String(chosenTarget()));
  const reference = selector("Reference", "ref", () => compared(results.selected()).map((id) => [id, results.label(id)]), () => chosenReference(results.selected()));
  const over = selector("Mean over", "over", () => [["task", "this task"], ["average", "all tasks"]], () => overTask());
  const answer = el("p", { class: "answer", id: "answer" });
  const chart = new Chart("differences", "Difference from the reference.");
  const holder = el("div");
  const node = el(
    "section",
    { "aria-labelledby": "equal-cost" },
    el("h2", { id: "equal-cost" }, "At equal cost"),
    el("div", { class: "controls" }, target.node, reference.node, over.node),
    answer,
    el("div", { class: "pair" }, chart.node, holder),
  );
  return {
    node,
    update(where) {
      [target, reference, over].forEach((control) => control.update());
      if (where.split !== "dev") {
        answer.textContent = "Differences at equal cost are given on dev.";
        chart.node.hidden = true;
        holder.replaceChildren();
        return;
      }
      chart.node.hidden = false;
      const facts = comparisonAt(where, chosenTarget(), chosenReference(where), overTask());
      answer.textContent = facts.sentence;
      drawDifferences(chart, facts);
      holder.replaceChildren(comparisonTable(facts));
    },
  };
}

const overTask = () => (state.get("over") === "average" ? "average" : "task");
const chosenTarget = () => Number(pick(state.get("target", "2"), results.doc.targets.map(String)));
const compared = (where) => {
  const ids = new Set(results.doc.equalCost.filter((row) => row[0] === where.backbone && row[2] === where.task).map((row) => row[3]));
  const shown = (series) => series.kind !== "signal" || series.rule === where.rule;
  return results.doc.series.filter((series) => ids.has(series.id) && shown(series)).map((series) => series.id);
};
const chosenReference = (where) => pick(state.get("ref", results.doc.reference), compared(where));

// Everything that is said at one speed-up; rows by score, the highest first.
function comparisonAt(where, target, reference, over) {
  const ids = compared(where);
  const task = over === "average" ? "average" : where.task;
  const scores = new Map(scoresAt(where.backbone, target, task).map((row) => [row[3], row]));
  const of = (against, series, of_task) => differenceRow(where.backbone, target, of_task, series, against);
  const rows = ids
    .map((id) => {
      const [, , , , score = null, spread = null, seeds = null] = scores.get(id) ?? [];
      const difference = id === reference ? null : of(reference, id, task);
      const declared = id === reference ? null : of(reference, id, "average");
      return { id, score, spread, seeds, difference: difference?.[5], low: difference?.[6], high: difference?.[7], verdict: declared?.[8] ?? null };
    })
    .sort((a, b) => (b.score ?? -1) - (a.score ?? -1));
  return { where, target, reference, task, rows, sentence: sentence(where, target, task, rows, of) };
}

const scoresAt = (backbone, target, task) => results.doc.equalCost.filter((row) => row[0] === backbone && row[1] === target && row[2] === task);
const differenceRow = (backbone, target, task, series, reference) =>
  results.differenceBy.get([backbone, target, task, series, reference].join("/"));

// Which method is best, and whether that is more than noise.
function sentence(where, target, task, rows, of) {
  const place = task === "average" ? "on average over the tasks" : `on ${results.taskLabel(task)}`;
  const reached = rows.filter((row) => !missing(row.score));
  if (!reached.length) return `No curve gets to ${target}× ${place}.`;
  const [best, second] = reached;
  const first = `At ${target}× ${place} (dev, equal mean exit layer) ${results.label(best.id)} has the highest mean score, ${best.score.toFixed(2)} %`;
  if (!second) return `${first}; nothing else gets there.`;
  const row = of(second.id, best.id, task); // of the best minus the second
  if (best.score === second.score) return `${first}, and so has ${results.label(second.id)}: there is nothing to tell them apart.`;
  const gap = `${(best.score - second.score).toFixed(2)} points ahead of ${results.label(second.id)}`;
  if (!row || missing(row[6])) return `${first}, ${gap}. That is no verdict: an interval needs at least three seeds on both sides.`;
  const beyond = row[6] > 0 || row[7] < 0;
  const counted = of(second.id, best.id, "average");
  const verdict = beyond
    ? `the 95 % interval excludes zero, and the declared verdict, on the mean over tasks with p-values adjusted for the number of methods, is “${counted?.[8] ?? "no verdict"}”`
    : "the 95 % interval contains zero, so that there is no verdict: it may be noise";
  return `${first}, ${gap}${interval(row[6], row[7], 2)}: ${verdict}.`;
}

function drawDifferences(chart, { where, target, reference, task, rows }) {
  const there = rows.filter((row) => !missing(row.difference)).toReversed();
  const known = (row, bound) => (missing(row[bound]) ? null : Math.abs(row[bound] - row.difference));
  const names = there.map((row) => plain(results.label(row.id)));
  chart.draw({
    height: 90 + 26 * Math.max(there.length, 2),
    traces: [
      {
        type: "scatter", mode: "markers", x: there.map((row) => row.difference), y: names,
        marker: { size: 9, color: there.map((row) => look(row.id).color), symbol: there.map((row) => (missing(row.low) ? "circle-open" : "circle")) },
        error_x: { type: "data", symmetric: false, array: there.map((row) => known(row, "high")), arrayminus: there.map((row) => known(row, "low")), color: themeColor("soft"), thickness: 1.5 },
        text: there.map((row) => `<b>${plain(results.label(row.id))}</b><br>${points(row.difference, 2)}${interval(row.low, row.high, 2)} points`),
        hovertemplate: "%{text}<extra></extra>", meta: { series: "differences", part: "differences" },
      },
    ],
    layout: {
      xaxis: { title: { text: "points of the score" }, zeroline: true, zerolinecolor: themeColor("ink") },
      yaxis: { type: "category", categoryorder: "array", categoryarray: names, ticks: "" },
      shapes: [],
    },
    caption: `Score at ${target}× minus that of ${results.label(reference)}, with 95 % intervals over seeds and examples; open: fewer than three seeds, no interval.`,
    data: () => ({
      columns: ["backbone", "task", "target_speedup", "method", "reference", "score", "spread", "seeds", "difference", "low", "high", "verdict_over_tasks"],
      rows: rows.map((row) => [where.backbone, task, target, results.label(row.id), results.label(reference), row.score, row.spread, row.seeds, row.difference, row.low, row.high, row.verdict]),
    }),
  });
}

function comparisonTable({ target, reference, task, rows }) {
  const columns = [
    { name: "Method", rowHead: true },
    { name: "Score (%)", number: true },
    { name: "Difference", number: true },
    { name: "95 % interval", number: true },
    { name: "Verdict" },
  ];
  const cells = rows.map((row) => [
    results.label(row.id),
    missing(row.score) ? "not reached" : `${row.score.toFixed(2)}${missing(row.spread) ? "" : ` ± ${row.spread.toFixed(2)}`}`,
    row.id === reference ? "reference" : points(row.difference, 2),
    row.id === reference ? "" : missing(row.low) ? "too few seeds" : `${points(row.low, 2)} to ${points(row.high, 2)}`,
    row.id === reference ? "" : row.verdict,
  ]);
  const caption = `${task === "average" ? "Mean over all tasks" : results.taskLabel(task)} at ${target}×, equal mean exit layer, dev: mean ± standard deviation over seeds. Verdicts are on the mean over all tasks.`;
  return table(caption, columns, cells, { marked: (index) => rows[index].id === reference });
}
