// A chart with its caption, its numbers as a table, and downloads of both. Drawn by plotly.js.

const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

function baseLayout(height) {
  const ink = themeColor("ink");
  const axis = {
    gridcolor: themeColor("grid"), linecolor: themeColor("line"), zeroline: false, automargin: true,
    ticks: "outside", tickcolor: themeColor("line"), title: { standoff: 8 },
  };
  return {
    height,
    margin: { l: 50, r: 12, t: 12, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT, size: 13, color: ink },
    hoverlabel: { font: { family: FONT, size: 12 }, align: "left" },
    showlegend: false,
    xaxis: { ...axis },
    yaxis: { ...axis },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 } },
    dragmode: "zoom",
    hovermode: "closest",
  };
}

const merge = (base, changes) => {
  const merged = { ...base };
  for (const [name, value] of Object.entries(changes))
    merged[name] = value && typeof value === "object" && !Array.isArray(value) ? merge(base[name] ?? {}, value) : value;
  return merged;
};

addEventListener("beforeprint", () => {
  for (const figure of document.querySelectorAll("figure[data-stale]")) Chart.watched.get(figure.querySelector(".plot")).render();
});

class Chart {
  constructor(name, title) {
    this.name = name;
    this.plot = el("div", { class: "plot", role: "img" });
    this.caption = el("span");
    this.numbers = el("div", { hidden: true });
    this.toggle = el("button", { type: "button", "aria-expanded": "false", onclick: () => this.showNumbers() }, "Numbers");
    this.node = el(
      "figure",
      { "data-chart": name },
      el("figcaption", {}, el("b", {}, title), " ", this.caption),
      this.plot,
      el(
        "div",
        { class: "tools" },
        this.toggle,
        el("button", { type: "button", onclick: () => this.saveCsv(), "aria-label": `${title}: download the numbers as CSV` }, "CSV"),
        el("button", { type: "button", onclick: () => this.saveSvg(), "aria-label": `${title}: download the chart as SVG` }, "SVG"),
      ),
      this.numbers,
    );
    this.title = title;
    Chart.watched.set(this.plot, this);
    Chart.watcher.observe(this.plot);
  }

  // A chart that is off the screen is drawn again when it comes near: a slider then moves what is seen, and is quick.
  static watched = new WeakMap();
  static watcher = new IntersectionObserver(
    (entries) => entries.forEach(({ target, isIntersecting }) => Chart.watched.get(target).comesOrGoes(isIntersecting)),
    { rootMargin: "300px" },
  );

  comesOrGoes(near) {
    this.isAway = !near;
    if (near && "stale" in this.node.dataset) this.render();
  }

  render() {
    delete this.node.dataset.stale;
    const config = { displayModeBar: false, responsive: true, doubleClick: "reset" };
    this.drawn = Plotly.react(this.plot, this.traces, this.layout, config);
    if (this.onclick && !this.listens) this.plot.on("plotly_click", ({ points: [point] }) => this.onclick(point));
    this.listens = true;
    return this.drawn;
  }

  // Another view takes the place: the library forgets what it drew.
  static forgetAll(host) {
    for (const plot of host.querySelectorAll(".plot")) {
      Chart.watcher.unobserve(plot);
      Plotly.purge(plot);
    }
  }

  // Whether the chart shows something else than before: what it shows is told by a key.
  changes(...parts) {
    const shows = [...parts, isDark()].join();
    const changed = shows !== this.shows;
    this.shows = shows;
    return changed;
  }

  // traces and layout as plotly.js has them; caption: what to see, in words; data: { columns, rows } behind the chart.
  draw({ traces, layout = {}, height = 300, caption = "", description = "", data }) {
    this.data = data;
    this.caption.textContent = caption;
    this.plot.setAttribute("aria-label", `${this.title}. ${description || caption} The button Numbers shows its numbers.`);
    this.layout = merge(baseLayout(height), layout);
    this.traces = traces;
    if (this.drawn && this.isAway) this.node.dataset.stale = "";
    else this.render();
    if (!this.numbers.hidden) this.fillNumbers();
  }

  showNumbers() {
    this.numbers.hidden = !this.numbers.hidden;
    this.toggle.setAttribute("aria-expanded", String(!this.numbers.hidden));
    if (this.numbers.hidden) this.numbers.replaceChildren();
    else this.fillNumbers();
  }

  fillNumbers() {
    const most = 200;
    const { columns, rows } = this.data();
    const shown = rows.slice(0, most).map((row) => row.map((cell) => (typeof cell === "number" ? digits(cell) : cell)));
    const rest = rows.length > most ? `; the first ${most} of ${rows.length} rows, the CSV has all` : "";
    this.numbers.replaceChildren(table(`${this.title}: numbers${rest}`, columns.map((name) => ({ name })), shown));
  }

  saveCsv() {
    const { columns, rows } = this.data();
    download(`${this.name}.csv`, "text/csv", csv(columns, rows));
    announce("CSV file written.");
  }

  // The same chart on white, with a legend, as wide as a page.
  async saveSvg() {
    const layout = merge(this.layout, { showlegend: true, paper_bgcolor: themeColor("ground"), autosize: false });
    const height = (this.layout.height ?? 300) + 60;
    const address = await Plotly.toImage({ data: this.traces, layout }, { format: "svg", width: 900, height });
    download(`${this.name}.svg`, "image/svg+xml", decodeURIComponent(address.slice(address.indexOf(",") + 1)));
    announce("SVG file written.");
  }
}
