// Buttons above the pictures, the choice of dose, and the tabs beside them.
export class Toolbar {
  constructor(root, app) {
    Object.assign(this, { root, app });
    this.windows = root.querySelector("[data-windows]");
    this.doses = document.querySelector("[data-doses]");
    this.opacity = document.querySelector("[data-opacity]");
    for (const button of root.querySelectorAll("[data-flip]")) button.addEventListener("click", () => app.flip(button.dataset.flip));
    for (const box of document.querySelectorAll("[data-flip-box]")) box.addEventListener("change", () => app.flip(box.dataset.flipBox));
    const click = (name, act) => root.querySelector(`[data-${name}]`).addEventListener("click", act);
    click("ruler", () => app.setTool(app.state.tool === "ruler" ? "cross" : "ruler"));
    click("compare", () => app.askCompare());
    click("maximum", () => app.goToMaximum());
    click("isocentre", () => app.goToIsocentre());
    click("layout", () => app.nextLayout());
    click("reset", () => app.reset());
    click("png", () => app.snapshot());
    click("keys", () => app.openSheet());
    this.opacity.addEventListener("input", () => app.setOpacity(Number(this.opacity.value)));
    this.doses.addEventListener("change", () => app.chooseDose(this.doses.value));
  }

  fill() {
    const { app } = this;
    this.windows.replaceChildren(...app.windows.map((preset, place) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: preset.name, title: `${preset.name} window (${place + 1}): centre ${Number(preset.center.toPrecision(4))}, width ${Number(preset.width.toPrecision(4))}` });
      button.addEventListener("click", () => app.preset(place));
      return button;
    }));
    const doses = app.pack.doses.map((dose) => {
      const option = new Option(dose.refused ? `${dose.label} (not shown: ${dose.refused})` : dose.label, dose.id);
      option.disabled = Boolean(dose.refused);
      return option;
    });
    this.doses.replaceChildren(...(doses.length ? doses : [new Option("no dose", "")]));
    this.doses.disabled = doses.length < 2;
    this.root.querySelector("[data-isocentre]").disabled = !app.isocentres.length;
    this.root.querySelector("[data-maximum]").disabled = !app.pack.doses.some((dose) => dose.file);
    this.refresh();
  }

  refresh() {
    const { state } = this.app;
    for (const button of this.root.querySelectorAll("[data-flip]")) button.setAttribute("aria-pressed", String(state[button.dataset.flip]));
    for (const box of document.querySelectorAll("[data-flip-box]")) box.checked = state[box.dataset.flipBox];
    this.root.querySelector("[data-ruler]").setAttribute("aria-pressed", String(state.tool === "ruler"));
    this.root.querySelector("[data-compare]").setAttribute("aria-pressed", String(Boolean(state.compare)));
    this.opacity.value = String(state.opacity);
    if (state.doseId) this.doses.value = state.doseId;
    const { window: shown } = state;
    if (!shown) return;
    this.root.querySelector("[data-window]").textContent = `C ${Number(shown.center.toPrecision(4))}  W ${Number(shown.width.toPrecision(4))}`;
    [...this.windows.children].forEach((button, place) => {
      const preset = this.app.windows[place];
      button.setAttribute("aria-pressed", String(preset.center === shown.center && preset.width === shown.width));
    });
  }
}

export class Tabs {
  constructor(root, opened) {
    Object.assign(this, { root, opened, buttons: [...root.querySelectorAll("[role=tab]")] });
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.open(button.dataset.tab));
      button.addEventListener("keydown", (event) => {
        const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!way) return;
        const next = this.buttons[(this.buttons.indexOf(button) + way + this.buttons.length) % this.buttons.length];
        this.open(next.dataset.tab);
        next.focus();
      });
    }
  }

  open(name) {
    for (const button of this.buttons) {
      const chosen = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = !chosen;
    }
    this.opened(name);
  }
}
