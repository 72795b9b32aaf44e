// What the document holds, and which part of it the state selects. A value of the address that does not exist gives way
// to the first that does.

const results = {
  load(document_) {
    this.doc = document_;
    this.byId = new Map(document_.series.map((series) => [series.id, series]));
    this.split = new Map(document_.splits.map((split) => [`${split.task}/${split.split}`, split]));
    this.curvesBy = group(document_.curves, (c) => key(c));
    this.bandsBy = group(document_.bands, (c) => key(c));
    this.disBy = group(document_.dis, (c) => key(c));
    this.layersBy = group(document_.layers, (c) => key(c));
    this.tables = new Map();
    this.differenceBy = new Map(document_.differences.map((row) => [row.slice(0, 5).join("/"), row]));
  },

  tasks() {
    return Object.keys(this.doc.tasks);
  },
  // The task that the state names, or the one with the most curves.
  task(there) {
    const curves = (task) => this.doc.curves.filter((curve) => curve.task === task).length;
    return pick(state.get("task"), there.toSorted((a, b) => curves(b) - curves(a)));
  },
  label(id) {
    return this.byId.get(id)?.label ?? id;
  },
  taskLabel(task) {
    return this.doc.tasks[task]?.label ?? (task === "average" ? "Mean over tasks" : task);
  },

  // Task, encoder, split and exit rule that the state selects, and what there is to choose from.
  selected() {
    const unique = (values) => [...new Set(values)];
    const task = this.task(this.tasks());
    const ofTask = this.doc.curves.filter((curve) => curve.task === task);
    const backbones = Object.keys(this.doc.backbones).filter((name) => ofTask.some((curve) => curve.backbone === name));
    const backbone = pick(state.get("backbone"), backbones);
    const there = ofTask.filter((curve) => curve.backbone === backbone);
    const splits = unique(there.map((curve) => curve.split));
    const split = pick(state.get("split"), splits);
    const ids = unique(there.filter((curve) => curve.split === split).map((curve) => curve.series));
    const inOrder = this.doc.series.filter((series) => ids.includes(series.id));
    const rules = unique(inOrder.filter((series) => series.kind === "signal").map((series) => series.rule));
    const rule = pick(state.get("rule"), rules) ?? "";
    const series = inOrder.filter((s) => s.kind === "own" || (s.kind === "signal" && s.rule === rule));
    const controls = inOrder.filter((s) => s.kind === "control" && s.rule === rule);
    const depth = there[0]?.depth ?? 1;
    return { task, backbone, split, rule, backbones, splits, rules, series, controls, depth };
  },

  curves(where, series) {
    return this.curvesBy.get(key({ ...where, series })) ?? [];
  },
  band(where, series) {
    return this.bandsBy.get(key({ ...where, series }))?.[0];
  },
  dis(where, series) {
    return this.disBy.get(key({ ...where, series })) ?? [];
  },
  layers(where, series) {
    return this.layersBy.get(key({ ...where, series })) ?? [];
  },
  // Rows of a series in the table "risk" or "calibration", of all seeds.
  rows(name, where, series) {
    if (!this.tables.has(name)) this.tables.set(name, group(rowsOf(this.doc[name]), (row) => key(row)));
    return this.tables.get(name).get(key({ ...where, series })) ?? [];
  },
  examples(where) {
    return this.split.get(`${where.task}/${where.split}`);
  },
  atTargets(where, series) {
    const { columns, rows } = this.doc.atTargets;
    return rows
      .map((row) => Object.fromEntries(columns.map((name, place) => [name, row[place]])))
      .filter((row) => row.series === series && ["task", "backbone", "split"].every((name) => row[name] === where[name]));
  },
};

const key = ({ task, backbone, split, series }) => `${task}/${backbone}/${split}/${series}`;
// A table of columns (cosee/explorer/reliability.py) as rows.
function rowsOf(table_) {
  if (!table_) return [];
  const columns = Object.entries(table_.columns);
  return Array.from({ length: table_.count }, (_, i) =>
    Object.fromEntries(columns.map(([name, column]) => [name, column.places ? column.values[column.places[i]] : column[i]])),
  );
}

const pick = (wanted, there) => (there.includes(wanted) ? wanted : there[0]);

function group(items, name) {
  const groups = new Map();
  for (const item of items) {
    const place = name(item);
    if (!groups.has(place)) groups.set(place, []);
    groups.get(place).push(item);
  }
  return groups;
}
