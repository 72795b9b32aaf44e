// Numbers and texts for people and for files.

const NONE = "–";
const missing = (value) => value === null || value === undefined || Number.isNaN(value);
const percent = (share, digits = 2) => (missing(share) ? NONE : (100 * share).toFixed(digits));
const times = (value) => (missing(value) ? NONE : `${value.toFixed(2)}×`);
const points = (value, digits = 1) => (missing(value) ? NONE : (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(digits));
const digits = (value) => (missing(value) ? NONE : Number(value.toPrecision(5)).toString());
const interval = (low, high, digits = 1) => (missing(low) ? "" : ` [${points(low, digits)}, ${points(high, digits)}]`);
const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

// The plotting library reads a few tags in texts; nothing of ours is meant as one.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function csv(columns, rows) {
  const cell = (value) => {
    if (missing(value)) return "";
    const text = typeof value === "number" ? String(Number(value.toPrecision(7))) : String(value);
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
