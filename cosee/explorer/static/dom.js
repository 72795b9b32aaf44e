// Elements. Texts become text nodes and nothing else: no label, claim or example is ever read as HTML.

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// A table of texts. Columns: { name, number: right-aligned, rowHead }; a cell is a text, a number or a node. The head of a
// row may span several: { text, rows }; the others then have ABOVE in its place.
const ABOVE = Symbol("above");
let tables = 0;

function table(caption, columns, rows, { marked = () => false, kind = "" } = {}) {
  const heads = columns.map((column) =>
    el("th", { scope: "col", class: column.number ? "number" : null }, column.head || column.name),
  );
  const lines = rows.map((cells, index) =>
    el(
      "tr",
      { class: marked(index) ? "marked" : null },
      cells.map((cell, place) => {
        if (cell === ABOVE) return null;
        if (place > 0 || !columns[0].rowHead) return el("td", { class: columns[place].number ? "number" : null, "data-name": columns[place].name, "data-none": (cell ?? NONE) === NONE }, cell ?? NONE);
        return el("th", cell?.rows > 1 ? { scope: "rowgroup", rowspan: cell.rows } : { scope: "row" }, cell?.text ?? cell ?? "–");
      }),
    ),
  );
  // The caption stands before the part that scrolls: it is as wide as the page, not as the table.
  const id = `table-${++tables}`;
  return el(
    "div",
    {},
    el("p", { class: "caption", id }, caption),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": id },
      el("table", { class: kind, "aria-labelledby": id }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, lines)),
    ),
  );
}

function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function announce(text) {
  document.getElementById("status").textContent = text;
}
