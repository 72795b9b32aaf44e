// Claims view: what is claimed, whether the numbers support it, and the view that shows it.

const claimsView = {
  name: "claims",
  title: "Claims",
  charts: false,

  mount(host) {
    const place = claimPlace;
    const verdicts = [...new Set(claimRows().map((row) => row[place("verdict")]))];
    this.filter = selector("Show", "verdict", () => [["", "every claim once, and all that was measured"], ["all", "every test"], ...verdicts.map((v) => [v, v])], () => pick(state.get("verdict"), ["", "all", ...verdicts]));
    this.search = el("input", { type: "search", "data-key": "claim", oninput: () => state.set({ claim: this.search.value }) });
    this.answer = el("p", { class: "answer", id: "claim-counts" });
    this.note = el("p", { class: "hidden-note", role: "status" });
    this.table = el("div");
    const save = () => download("claims.csv", "text/csv", csv(results.doc.claims.columns, this.rows));
    const none = el("p", {}, "This page was made without a list of claims.");
    const parts = [el("div", { class: "controls" }, this.filter.node, el("label", {}, "Contains", this.search)), this.answer, this.note, this.table, el("div", { class: "tools" }, el("button", { type: "button", onclick: save }, "CSV"))];
    host.replaceChildren(el("h2", {}, "Claims"), ...(results.doc.claims ? parts : [none]));
  },

  update() {
    if (!results.doc.claims) return;
    this.filter.update();
    if (document.activeElement !== this.search) this.search.value = state.get("claim");
    const named = claimRows().filter((row) => row.join("\n").toLowerCase().includes(state.get("claim").toLowerCase()));
    const wanted = this.filter.node.querySelector("select").value;
    this.rows = wanted === "all" ? named : wanted ? named.filter((row) => row[claimPlace("verdict")] === wanted) : brief(named);
    this.answer.textContent = `${verdictCounts(named)}.`;
    this.note.textContent = this.rows.length < named.length ? `Shown are ${this.rows.length} of ${count(named.length, "line")}; not shown: ${verdictCounts(named.filter((row) => !this.rows.includes(row)))}.` : `All ${count(named.length, "line")}.`;
    this.table.replaceChildren(claimTable(this.rows));
  },
};

const claimRows = () => results.doc.claims?.rows ?? [];
const claimPlace = (name) => results.doc.claims?.columns.indexOf(name);

// How often there is each verdict, in words.
function verdictCounts(rows) {
  const counts = new Map();
  for (const row of rows) counts.set(row[claimPlace("verdict")], (counts.get(row[claimPlace("verdict")]) ?? 0) + 1);
  return rows.length ? [...counts].map(([verdict, number]) => `${number} ${verdict}`).join(", ") : "None";
}

// Tests with an effect, and the first line of every claim that has none.
function brief(rows) {
  const measured = (row) => !missing(row[claimPlace("effect")]);
  const claim = (row) => row[claimPlace("claim")];
  const there = new Set(rows.filter(measured).map(claim));
  return rows.filter((row, i) => measured(row) || (!there.has(claim(row)) && claim(row) !== claim(rows[i - 1] ?? [])));
}

function claimTable(rows) {
  const number = (value) => (typeof value === "number" ? points(value, 2) : value);
  const heads = rowHeads(rows.map((row) => row[claimPlace("claim")]));
  const cells = rows.map((row, i) => {
    const at = (name) => row[claimPlace(name)];
    const bounds = missing(at("low")) ? "" : ` [${number(at("low"))}, ${number(at("high"))}]`;
    const effect = missing(at("effect")) ? NONE : `${number(at("effect"))}${bounds} ${at("unit")}`;
    const view = at("view") ? el("a", { href: at("view") }, "show") : NONE;
    return [heads[i], at("verdict"), effect, missing(at("seeds")) ? NONE : String(at("seeds")), at("tested_in"), at("source"), view];
  });
  const names = ["Claim", "Verdict", "Effect", "Seeds", "Tested in", "Source", "View"];
  return table("Claims with their verdicts; effects with 95 % intervals.", names.map((name, i) => ({ name, rowHead: i === 0 })), cells, { kind: "prose cards" });
}

// Each claim once, over all of its tests.
function rowHeads(claims) {
  return claims.map((claim, i) => {
    if (claim === claims[i - 1]) return ABOVE;
    const next = claims.findIndex((other, j) => j > i && other !== claim);
    return { text: claim, rows: (next < 0 ? claims.length : next) - i };
  });
}

// A link to the claims that are measured in a unit, with what became of them.
function claimsLink(unit, word) {
  const rows = claimRows().filter((row) => row[claimPlace("unit")] === unit);
  if (!rows.length) return [];
  return [`The paper's claims on ${word}: ${verdictCounts(rows)}. `, el("a", { href: state.address({ view: "claims", claim: unit, verdict: null }) }, "Show them"), "."];
}
