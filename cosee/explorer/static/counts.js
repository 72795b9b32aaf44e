// Counts over examples at one operating point of one curve.

// Exit (0-based) and prediction of every example at point k of a curve, from the numbers of cosee/explorer/examples.py.
function answersAt(curve, k) {
  const model = curve.states[curve.state[k]];
  const point = curve.point[k];
  const depth = curve.depth;
  const total = model.predicted.length / depth;
  const exits = new Uint8Array(total);
  const answers = new Uint8Array(total);
  for (let n = 0; n < total; n++) {
    let exit = 0;
    while (exit < depth - 1 && model.steps[n * (depth - 1) + exit] > point) exit++;
    exits[n] = exit;
    answers[n] = model.predicted[n * depth + exit];
  }
  return { exits, answers, model, depth, total };
}

// What became of an example: right (at the first exit of an unbroken run of right ones), late (right, but an earlier
// exit had it right and stayed so), premature (wrong, but right at full depth), wrong (at full depth too).
function outcomesAt({ exits, answers, model, depth, total }, labels) {
  const outcomes = new Array(total);
  for (let n = 0; n < total; n++) {
    const label = labels[n];
    const at = (m) => model.predicted[n * depth + m] === label;
    if (answers[n] === label) outcomes[n] = exits[n] > 0 && at(exits[n] - 1) ? "late" : "right";
    else outcomes[n] = at(depth - 1) ? "premature" : "wrong";
  }
  return outcomes;
}

// Counts [groups][exits].
function histogram(exits, groupOf, groups, depth) {
  const counts = groups.map(() => new Array(depth).fill(0));
  exits.forEach((exit, n) => counts[groupOf(n)][exit]++);
  return counts;
}

// Counts [label][answer].
function confusion(answers, labels, classes) {
  const counts = classes.map(() => new Array(classes.length).fill(0));
  answers.forEach((answer, n) => counts[labels[n]][answer]++);
  return counts;
}

// Share of examples that exit with a wrong answer although full depth has it right, at every point of a curve.
const risks = new WeakMap();
function risksOf(curve, labels) {
  if (!risks.has(curve)) {
    const shares = Array.from(curve.speedup, (_, k) => {
      const answers = answersAt(curve, k);
      return outcomesAt(answers, labels).filter((outcome) => outcome === "premature").length / answers.total;
    });
    risks.set(curve, shares);
  }
  return risks.get(curve);
}
