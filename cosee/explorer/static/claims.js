// Claims view: what is claimed, whether the numbers support it, and the view that shows it.

const claimsView = {
  name: "claims",
  title: "Claims",

  mount(host) {
    this.host = host;
  },

  update() {
    const claims = results.doc.claims;
    if (!claims) {
      this.host.replaceChildren(el("h2", {}, "Claims"), el("p", {}, "This page was made without a list of claims."));
      return;
    }
    const place = (name) => claims.columns.indexOf(name);
    const verdicts = [...new Set(claims.rows.map((row) => row[place("verdict")]))];
    const wanted = state.get("verdict");
    const filter = el("select", { "data-key": "verdict", onchange: () => state.set({ verdict: filter.value }) }, [["", "all"], ...verdicts.map((v) => [v, v])].map(([value, text]) => el("option", { value }, text)));
    filter.value = wanted;
    const rows = claims.rows.filter((row) => !wanted || row[place("verdict")] === wanted);
    const number = (value) => (typeof value === "number" ? points(value, 2) : value);
    const heads = rowHeads(rows.map((row) => row[place("claim")]));
    const cells = rows.map((row, i) => {
      const at = (name) => row[place(name)];
      const bounds = missing(at("low")) ? "" : ` [${number(at("low"))}, ${number(at("high"))}]`;
      const effect = missing(at("effect")) ? NONE : `${number(at("effect"))}${bounds} ${at("unit")}`;
      const view = at("view") ? el("a", { href: at("view") }, "show") : NONE;
      return [heads[i], at("verdict"), effect, missing(at("seeds")) ? NONE : String(at("seeds")), at("tested_in"), at("source"), view];
    });
    const names = ["Claim", "Verdict", "Effect", "Seeds", "Tested in", "Source", "View"];
    this.host.replaceChildren(
      el("h2", {}, "Claims"),
      el("div", { class: "controls" }, el("label", {}, "Verdict", filter)),
      el("p", { class: "hidden-note" }, `${rows.length} of ${count(claims.rows.length, "test")} and claims without one.`),
      table("Claims with their verdicts; effects with 95 % intervals.", names.map((name, i) => ({ name, rowHead: i === 0 })), cells, { kind: "prose" }),
      el("div", { class: "tools" }, el("button", { type: "button", onclick: () => download("claims.csv", "text/csv", csv(claims.columns, rows)) }, "CSV")),
    );
  },
};

// Each claim once, over all of its tests.
function rowHeads(claims) {
  return claims.map((claim, i) => {
    if (claim === claims[i - 1]) return ABOVE;
    const next = claims.findIndex((other, j) => j > i && other !== claim);
    return { text: claim, rows: (next < 0 ? claims.length : next) - i };
  });
}
