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

// What becomes of examples of each number of steps, fewest first.
function countsBySteps({ exits, answers, model, depth }, labels, steps) {
  const groups = new Map([...new Set(steps)].sort((a, b) => a - b).map((level) => [level, { level, examples: 0, layers: 0, right: 0, rightAtEnd: 0, premature: 0 }]));
  exits.forEach((exit, n) => {
    const found = groups.get(steps[n]);
    const [right, rightAtEnd] = [answers[n] === labels[n], model.predicted[(n + 1) * depth - 1] === labels[n]];
    found.examples++;
    found.layers += exit + 1;
    found.right += right;
    found.rightAtEnd += rightAtEnd;
    found.premature += rightAtEnd && !right;
  });
  return [...groups.values()];
}

// Spearman's rank correlation of small whole numbers, tied ranks averaged; null if either is the same for all.
function rankCorrelation(first, second) {
  const ranks = [first, second].map((values) => {
    const counts = [];
    for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
    let before = 0;
    const rank = counts.map((there) => (before += there) - (there - 1) / 2 - 0.5);
    return Array.from(values, (value) => rank[value] - values.length / 2);
  });
  const product = (a, b) => a.reduce((sum, value, n) => sum + value * b[n], 0);
  const scale = Math.sqrt(product(ranks[0], ranks[0]) * product(ranks[1], ranks[1]));
  return scale ? product(...ranks) / scale : null;
}
