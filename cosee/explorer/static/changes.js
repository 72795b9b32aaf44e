// Tables of an operating point: confusion matrix, and what changes from slow to fast.

function confusionTable(counts, classes) {
  const columns = [{ name: "Label \\ answer", rowHead: true }, ...classes.map((name) => ({ name, number: true })), { name: "right", number: true }];
  const rows = classes.map((name, label) => {
    const total = counts[label].reduce((sum, value) => sum + value, 0);
    return [name, ...counts[label].map((value, answer) => el("span", { class: label === answer ? "good" : "bad" }, `${value}`)), total ? `${((100 * counts[label][label]) / total).toFixed(1)} %` : NONE];
  });
  return table("Confusion matrix at this operating point: examples by label (rows) and answer (columns).", columns, rows, { kind: "confusion" });
}

// What changes between two speed-ups, by default from 1.5 to 4.
function changeTable({ curve, examples, where }) {
  const [slow, fast] = [1.5, 4].map((x) => nearest(curve.speedup, x));
  const [a, b] = [slow, fast].map((k) => answersAt(curve, k));
  const tally = { earlier: 0, lost: 0, gained: 0, same: 0 };
  for (let n = 0; n < a.total; n++) {
    const [before, after] = [a, b].map((at) => at.answers[n] === examples.labels[n]);
    if (b.exits[n] < a.exits[n]) tally.earlier++;
    if (before && !after) tally.lost++;
    else if (!before && after) tally.gained++;
    else tally.same++;
  }
  const share = (value) => `${value} (${((100 * value) / a.total).toFixed(1)} %)`;
  const right = (at, label) => {
    const [good, all] = at.answers.reduce(([g, t], answer, n) => (examples.labels[n] === label ? [g + (answer === label), t + 1] : [g, t]), [0, 0]);
    return all ? `${((100 * good) / all).toFixed(1)} %` : NONE;
  };
  const rows = [
    ["Speed-up", times(curve.speedup[slow]), times(curve.speedup[fast])],
    ["Score", `${percent(curve.score[slow])} %`, `${percent(curve.score[fast])} %`],
    ...results.doc.tasks[where.task].classes.map((name, label) => [`Right among “${name}”`, right(a, label), right(b, label)]),
    ["Exit earlier", "", share(tally.earlier)],
    ["Become wrong", "", share(tally.lost)],
    ["Become right", "", share(tally.gained)],
    ["Right or wrong as before", "", share(tally.same)],
  ];
  return table("What changes from 1.5× to 4×.", [{ name: "", rowHead: true }, { name: "at 1.5×", number: true }, { name: "at 4×", number: true }], rows);
}
