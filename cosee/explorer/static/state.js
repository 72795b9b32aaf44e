// The state of the page is its address: #view=tradeoff&task=sst2&… What is not in it has its default.

const state = {
  values: new URLSearchParams(location.hash.slice(1)),
  listeners: [],
  pending: 0,

  get(key, otherwise = "") {
    return this.values.get(key) ?? otherwise;
  },
  list(key) {
    return this.get(key).split(",").filter(Boolean);
  },
  has(key) {
    return this.values.has(key);
  },
  // Change some keys; null removes one. The address follows a moment later: browsers refuse to change it at every
  // movement of a slider.
  set(changes) {
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === "") this.values.delete(key);
      else this.values.set(key, String(value));
    }
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.write(), 150);
    this.notify();
  },
  address(changes = {}) {
    const values = new URLSearchParams(this.values);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) values.delete(key);
      else values.set(key, value);
    }
    return `#${values}`;
  },
  // Go to another view or place: unlike a change of a control, a step that the browser can take back.
  go(changes) {
    this.write();
    location.hash = this.address(changes);
  },
  write() {
    clearTimeout(this.pending);
    history.replaceState(null, "", this.address());
  },
  notify() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.listeners.forEach((listener) => listener()));
  },
};

addEventListener("hashchange", () => {
  clearTimeout(state.pending);
  state.values = new URLSearchParams(location.hash.slice(1));
  state.notify();
});
