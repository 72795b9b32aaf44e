// Colors, dashes and symbols. The palette is that of Okabe and Ito, without yellow: told apart by all kinds of color
// vision; a dash and a symbol tell apart what shares a color. A variant looks the same in every view and task.

const DASHES = ["solid", "dash", "dashdot", "dot"];
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "hexagon"];
const LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B57F00", "#56B4E9", "#333333"];
const DARK = ["#4BA3DC", "#F08A4B", "#2FC79A", "#E39BC5", "#E69F00", "#8FD0F7", "#E8EAED"];

const isDark = () => document.documentElement.dataset.theme === "dark";
const themeColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function look(id) {
  const series = results.byId.get(id);
  if (!series || series.kind === "control") {
    const variant = id.split("|")[0];
    const gray = isDark() ? "#9AA3AE" : "#7A828C";
    const dash = { random: "dot", oracle: "longdash", static: "solid" }[variant] ?? "solid";
    return { color: gray, dash, symbol: "x-thin-open" };
  }
  const ofKind = (kind) => results.doc.series.filter((s) => s.kind === kind).map((s) => s.variant);
  const variants = [...new Set([...ofKind("signal"), ...ofKind("own"), ...ofKind("static")])];
  const place = variants.indexOf(series.variant);
  const colors = isDark() ? DARK : LIGHT;
  return {
    color: colors[place % colors.length],
    dash: DASHES[Math.floor(place / colors.length) % DASHES.length],
    symbol: SYMBOLS[place % SYMBOLS.length],
  };
}

// Colors of classes, or of steps needed, in a stack.
const stackColor = (place) => (isDark() ? DARK : LIGHT)[[0, 4, 2, 3, 5][place % 5]];
const OUTCOME_COLORS = () => ({ right: themeColor("right"), late: isDark() ? "#A7D8F5" : "#9CCBE6", premature: themeColor("wrong"), wrong: isDark() ? "#8A929D" : "#9AA1AA" });

function swatch(id) {
  const { color, dash } = look(id);
  if (id.startsWith("static")) return cross(color);
  const lengths = { solid: "", dash: "6 3", dashdot: "6 2 1 2", dot: "2 2", longdash: "9 3" };
  return svg(
    "svg",
    { width: 28, height: 10, "aria-hidden": "true" },
    svg("line", { x1: 1, y1: 5, x2: 27, y2: 5, stroke: color, "stroke-width": 2.5, "stroke-dasharray": lengths[dash] }),
  );
}

// The mark of models of fewer layers, which are points.
function cross(color) {
  const line = (y) => svg("line", { x1: 10, y1: y, x2: 18, y2: 10 - y, stroke: color, "stroke-width": 2.5 });
  return svg("svg", { width: 28, height: 10, "aria-hidden": "true" }, line(1), line(9));
}
