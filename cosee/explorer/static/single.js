// Single examples at an operating point: what each did, and which of them to show.

const FILTERS = {
  all: ["all", () => true],
  wrong: ["always wrong", (e) => e.right.every((right) => !right)],
  right: ["always right", (e) => e.right.every(Boolean)],
  early: ["right only early", (e) => e.right.slice(0, half(e)).some(Boolean) && !e.right.slice(half(e)).some(Boolean)],
  late: ["right only late", (e) => !e.right.slice(0, half(e)).some(Boolean) && e.right.slice(half(e)).some(Boolean)],
  quick: ["exits early", (e) => e.exit <= half(e)],
  premature: ["premature: exits wrong, right at full depth", (e) => e.outcome === "premature"],
  lateexit: ["late: exits right, as the exit before already was", (e) => e.outcome === "late"],
};
const half = (e) => Math.floor(e.right.length / 2);
const SORTS = ["idx", "exit", "confidence", "steps", "label", "answer"];

// Every example at point k: exit (1-based), answer, confidence (0..1), and the same at every exit.
function examplesAt({ curve, examples }, k) {
  const at = answersAt(curve, k);
  const { exits, answers, model, depth, total } = at;
  const outcomes = outcomesAt(at, examples.labels);
  return Array.from({ length: total }, (_, n) => {
    const label = examples.labels[n];
    const all = Array.from(model.predicted.subarray(n * depth, (n + 1) * depth));
    const confidences = Array.from(model.confidence.subarray(n * depth, (n + 1) * depth), (value) => value / 250);
    return {
      idx: examples.idx[n], label, exit: exits[n] + 1, answer: answers[n], correct: answers[n] === label, outcome: outcomes[n], confidence: confidences[exits[n]],
      answers: all, right: all.map((answer) => answer === label), confidences, steps: examples.steps?.[n] ?? 0, text: examples.texts?.[n],
    };
  });
}

// The examples that the state asks for, in the order that it asks for.
function chosenExamples(all) {
  const [, test] = FILTERS[pick(state.get("filter"), Object.keys(FILTERS))];
  const [exit, steps, wanted] = [state.get("exit"), state.get("steps"), state.get("q").toLowerCase()];
  const name = pick(state.get("sort"), SORTS);
  const sign = state.get("order") === "down" ? -1 : 1;
  return all
    .filter((e) => test(e) && (!exit || String(e.exit) === exit) && (!steps || String(e.steps) === steps) && (!wanted || (e.text ?? "").toLowerCase().includes(wanted)))
    .sort((x, y) => sign * (x[name] > y[name] ? 1 : x[name] < y[name] ? -1 : 0) || x.idx - y.idx);
}
