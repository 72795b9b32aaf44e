// View of what can be relied on: promised risks, and the calibration of the answers.

const reliabilityView = {
  name: "reliability",
  title: "Risk and calibration",

  mount(host) {
    this.controls = placeControls();
    this.panels = [riskPanel(), calibrationPanel()];
    host.replaceChildren(el("div", { class: "controls" }, this.controls.map((control) => control.node)), ...this.panels.map((panel) => panel.node));
  },

  update() {
    const where = results.selected();
    this.controls.forEach((control) => control.update());
    this.panels.forEach((panel) => panel.update(where));
  },
};
