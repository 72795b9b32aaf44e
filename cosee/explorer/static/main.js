// Start: read the data, show the view that the address names, and redraw after every change.

const VIEWS = [tradeoffView, operatingView, examplesView, reliabilityView, trainingView, claimsView, provenanceView];
const main = document.getElementById("main");
let mounted = null;
let canDraw = false; // whether the plotting library is there: a view without charts is shown before it is

function showTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = pick(state.get("theme", dark), ["light", "dark"]);
}

function currentView() {
  return VIEWS.find((view) => view.name === state.get("view")) ?? VIEWS[0];
}

function render() {
  showTheme();
  const view = currentView();
  for (const link of document.querySelectorAll("#views a")) {
    const current = link.dataset.view === view.name;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = state.address({ view: link.dataset.view });
  }
  if (!canDraw && view.charts !== false) return; // drawn as soon as it is
  if (mounted !== view) {
    Chart.forgetAll(main);
    view.mount(main);
    mounted = view;
    document.title = `${view.title} – ${results.doc.title}`;
  }
  view.update();
  document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn ?? 0) + 1);
}

async function load(library) {
  await loadLibrary(library.textContent);
  library.remove();
  canDraw = true;
}

async function start() {
  showTheme();
  const [library, data] = ["library", "data"].map((id) => document.getElementById(id));
  try {
    const read = readPack(data.textContent);
    if (currentView().charts !== false) await load(library);
    results.load(await read);
  } catch (error) {
    main.replaceChildren(el("p", {}, `This page could not be read: ${error.message}. It needs a browser of 2023 or later, and to be whole.`));
    throw error;
  }
  data.remove();
  document.getElementById("title").textContent = results.doc.title;
  document.getElementById("subtitle").textContent = `${results.doc.data}. ${count(results.tasks().length, "task")}, ${count(results.doc.curves.length, "curve")}.`;
  const links = Object.entries(results.doc.links).map(([name, href]) => el("a", { href }, name));
  if (links.length) document.getElementById("subtitle").append(" Also: ", ...links.flatMap((link, i) => (i ? [", ", link] : [link])), ".");
  document.getElementById("views").append(...VIEWS.map((view) => el("li", {}, el("a", { href: `#view=${view.name}`, "data-view": view.name }, view.title))));
  const toggle = () => state.set({ theme: isDark() ? "light" : "dark" });
  document.getElementById("footer").append(el("button", { type: "button", id: "theme", onclick: toggle }, "Dark or light"));
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address holds the state
    main.focus();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
  state.listeners.push(render);
  render();
  if (canDraw) return;
  setTimeout(async () => {
    await load(library);
    if (mounted !== currentView()) render();
  });
}

start();
