// Charts of an operating point by the steps that generated examples need: how often right, and where they exit.

class StepCharts {
  constructor() {
    this.accuracy = new Chart("steps-accuracy", "Accuracy by steps needed.");
    this.exits = new Chart("steps-exits", "Exit layer by steps needed.");
    this.nodes = [this.accuracy.node, this.exits.node];
  }

  update({ id, examples }, at) {
    this.nodes.forEach((node) => (node.hidden = !examples.steps));
    if (!examples.steps) return;
    const rows = countsBySteps(at, examples.labels, examples.steps);
    const x = rows.map((row) => row.level);
    const share = (name) => rows.map((row) => (100 * row[name]) / row.examples);
    const layers = rows.map((row) => row.layers / row.examples);
    const [right, rightAtEnd, premature] = ["right", "rightAtEnd", "premature"].map(share);
    const data = () => ({
      columns: ["steps", "examples", "mean_exit_layer", "accuracy", "accuracy_full_depth", "premature"],
      rows: rows.map((row, i) => [row.level, row.examples, layers[i], right[i], rightAtEnd[i], premature[i]]),
    });
    const text = rows.map((row) => count(row.examples, "example"));
    const line = (name, y, color, symbol, part) => ({
      type: "scatter", mode: "lines+markers", name, x, y, line: { color, dash: part === "full" ? "dash" : "solid" }, marker: { symbol, size: 8, color },
      text, hovertemplate: "%{x} steps: %{y:.2f} of %{text}<extra></extra>", meta: { series: id, part },
    });
    const xaxis = { title: { text: "steps needed" }, dtick: 1 };
    this.accuracy.draw({
      traces: [line("at this point", right, themeColor("right"), "circle", "here"), line("at full depth", rightAtEnd, themeColor("soft"), "square", "full"), line("premature exits", premature, themeColor("wrong"), "diamond", "premature")],
      layout: { xaxis, yaxis: { title: { text: "share (%)" }, rangemode: "tozero" }, showlegend: true },
      caption: "Examples that are right, by the steps of reading that their answer takes, and those that exit prematurely.",
      data,
    });
    const correlation = rankCorrelation(at.exits, examples.steps);
    this.exits.draw({
      traces: [line("mean exit layer", layers, themeColor("right"), "circle", "layers")],
      layout: { xaxis, yaxis: { title: { text: "mean exit layer" }, range: [1 - 0.04 * at.depth, 1.04 * at.depth] } },
      caption: `Mean exit layer. Rank correlation of exit and steps: ${missing(correlation) ? "none, as all exit alike" : points(correlation, 2)}; 1 would be the harder, the later.`,
      data,
    });
  }
}
