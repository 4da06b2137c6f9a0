// The level editor: isodoses in Gy, or in percent of a named prescription level.
import { colorsFor } from "./palette.js";

const PERCENTS = [10, 30, 50, 70, 80, 95, 100, 107];
const OF_MAXIMUM = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95];

const tidy = (gy) => (gy >= 10 ? Math.round(gy * 10) / 10 : Number(gy.toPrecision(3)));

// Levels that suit a prescription; without one they are round parts of the highest dose.
export function defaultLevels(reference, highest) {
  const doses = reference ? PERCENTS.map((part) => tidy((reference.gy * part) / 100)) : OF_MAXIMUM.map((part) => tidy(highest * part));
  return colored([...new Set(doses)].filter((gy) => gy > 0).map((gy) => ({ gy, on: true })));
}

export function colored(levels) {
  levels.sort((a, b) => a.gy - b.gy);
  const colors = colorsFor(levels.length);
  levels.forEach((level, place) => (level.color = colors[place]));
  return levels;
}

export class LevelEditor {
  constructor(root, app) {
    Object.assign(this, { root, app, list: root.querySelector("ol"), select: root.querySelector("[data-reference]") });
    this.unit = "gy";
    this.select.addEventListener("change", () => this.choose(Number(this.select.value)));
    root.querySelector("[data-add]").addEventListener("click", () => this.add());
    root.querySelector("[data-defaults]").addEventListener("click", () => this.reset());
    for (const button of root.querySelectorAll("[data-level-unit]")) {
      button.addEventListener("click", () => {
        this.unit = button.dataset.levelUnit;
        this.show();
      });
    }
  }

  // Percent needs to know of what: without a prescription it is off.
  offer(references) {
    this.references = references;
    this.select.replaceChildren();
    references.forEach((item, place) => this.select.add(new Option(`${item.name}: ${item.gy} Gy`, String(place))));
    if (!references.length) this.select.add(new Option("no prescription", ""));
    this.select.disabled = references.length < 2;
    this.root.querySelector("[data-level-unit=percent]").disabled = !references.length;
  }

  choose(place) {
    this.app.state.reference = this.references[place] ?? null;
    this.show();
    this.app.changed("levels");
  }

  reset() {
    const { app } = this;
    app.state.levels = defaultLevels(app.state.reference, app.grid?.max ?? 1);
    this.commit();
  }

  add() {
    const { levels, reference } = this.app.state;
    const highest = levels.length ? levels[levels.length - 1].gy : (reference?.gy ?? 10);
    levels.push({ gy: tidy(highest * 1.05), on: true });
    this.commit();
    this.list.querySelector("li:first-child input[type=number]")?.focus();
  }

  commit() {
    colored(this.app.state.levels);
    this.show();
    this.app.changed("levels");
  }

  show() {
    const { reference, levels } = this.app.state;
    if (!reference) this.unit = "gy";
    for (const button of this.root.querySelectorAll("[data-level-unit]")) {
      button.setAttribute("aria-pressed", String(button.dataset.levelUnit === this.unit));
    }
    this.list.replaceChildren(...[...levels].reverse().map((level) => this.row(level, reference)));
  }

  row(level, reference) {
    const item = document.getElementById("level-row").content.firstElementChild.cloneNode(true);
    const [on, value, remove] = ["[type=checkbox]", "[type=number]", "button"].map((name) => item.querySelector(name));
    item.querySelector("line").setAttribute("stroke", level.color);
    const percent = this.unit === "percent";
    const unit = this.app.doseUnit;
    on.checked = level.on;
    on.setAttribute("aria-label", `Show ${level.gy} ${unit}`);
    value.value = percent ? ((100 * level.gy) / reference.gy).toFixed(1) : level.gy;
    value.setAttribute("aria-label", percent ? "Level in percent" : `Level in ${unit}`);
    const other = reference ? (percent ? `% · ${level.gy.toFixed(1)} ${unit}` : `${unit} · ${((100 * level.gy) / reference.gy).toFixed(0)} %`) : unit;
    item.querySelector(".other").textContent = other;
    remove.setAttribute("aria-label", `Remove ${level.gy} ${unit}`);
    on.addEventListener("change", () => {
      level.on = on.checked;
      this.app.changed("levels");
    });
    value.addEventListener("change", () => {
      const typed = Number(value.value);
      if (!(typed > 0)) return this.show();
      level.gy = percent ? (typed * reference.gy) / 100 : typed;
      this.commit();
    });
    remove.addEventListener("click", () => {
      this.app.state.levels = this.app.state.levels.filter((one) => one !== level);
      this.commit();
    });
    return item;
  }
}
