// The legend: selects curves, and reads all visible ones at the cursor.
const digits = (unit, value) => (unit === "percent" || value >= 100 ? 1 : 2);

export class Legend {
  constructor(root, data, state) {
    this.root = root;
    this.data = data;
    this.state = state;
    this.head = root.querySelector(".legend-head");
    this.at = root.querySelector(".at");
    this.hint = this.at.textContent;
    this.buttons = new Map();
    for (const button of root.querySelectorAll("[data-number]")) {
      const number = Number(button.dataset.number);
      this.buttons.set(number, button);
      button.addEventListener("click", () => this.toggle(number));
    }
    root.querySelector("[data-all]").addEventListener("click", () => this.choose([...this.buttons.keys()]));
    root.querySelector("[data-none]").addEventListener("click", () => this.choose([]));
  }

  toggle(number) {
    this.state.shown[this.state.shown.has(number) ? "delete" : "add"](number);
    this.onchange();
  }

  choose(numbers) {
    this.state.shown.clear();
    numbers.forEach((number) => this.state.shown.add(number));
    this.onchange();
  }

  refresh() {
    for (const [number, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(this.state.shown.has(number)));
      button.querySelector("output").textContent = "";
    }
  }

  // Show the values of all visible curves at one place of the dose axis; null: no place.
  read(index) {
    this.head.classList.toggle("reading", index !== null);
    if (index === null) {
      this.at.textContent = this.hint;
      for (const button of this.buttons.values()) button.querySelector("output").textContent = "";
      return;
    }
    const unit = this.state.unit === "percent" ? "%" : "cm³";
    const both = this.state.tps && this.data.curves.some((curve) => curve.source === "TPS");
    this.at.textContent = `${this.data.dose[index].toFixed(2)} ${this.data.dose_unit}: ${unit}${both ? " ¦ TPS" : ""}`;
    for (const [number, button] of this.buttons) this.readOne(number, button, index);
  }

  readOne(number, button, index) {
    const output = button.querySelector("output");
    if (!this.state.shown.has(number)) return;
    const text = (source) => {
      const curve = this.data.curves.find((one) => one.number === number && one.source === source);
      const value = curve?.[this.state.unit]?.[index];
      return value === undefined ? null : value.toFixed(digits(this.state.unit, value));
    };
    const theirs = this.state.tps ? text("TPS") : null;
    output.textContent = text("rtpacs") ?? "–";
    if (theirs !== null) {
      const part = document.createElement("span");
      part.className = "tps";
      part.textContent = ` ¦ ${theirs}`;
      part.title = "TPS";
      output.append(part);
    }
  }

  highlight(number) {
    for (const [own, button] of this.buttons) button.classList.toggle("near", own === number);
  }
}
