// The tab with prescription, beams and doses, and the tab with the profile along the ruler.
import { AXIS } from "./plots.js";

const SAMPLES = 400;

const angle = (value) => (value === null ? "–" : `${value.toFixed(1)}°`);

function cells(values) {
  const row = document.createElement("tr");
  values.forEach((value, place) => {
    const cell = document.createElement(place ? "td" : "th");
    if (!place) cell.scope = "row";
    cell.append(value);
    row.append(cell);
  });
  return row;
}

export function fillPlan(root, view, app) {
  const levels = root.querySelector("[data-levels] tbody");
  const fractions = view.fractions ? `${view.fractions} fx` : "–";
  levels.replaceChildren(...view.levels.map((level) => cells([level.name, `${level.gy.toFixed(2)} Gy`, fractions, view.fractions ? `${(level.gy / view.fractions).toFixed(2)} Gy` : "–"])));
  if (!view.levels.length) levels.replaceChildren(cells(["No prescription in DICOM or stated by a person", "", fractions, ""]));
  const beams = root.querySelector("[data-beams] tbody");
  beams.replaceChildren(...view.beams.map((beam) => {
    const go = document.createElement("button");
    Object.assign(go, { type: "button", textContent: "Go", disabled: !beam.isocenter_mm || Boolean(app.pack.meta.plan_refused) });
    go.setAttribute("aria-label", `Go to the isocentre of ${beam.name}`);
    go.addEventListener("click", () => app.goTo(beam.isocenter_mm, `isocentre of ${beam.name}`));
    const [first, last] = beam.gantry;
    const gantry = last !== null && last !== first ? `${angle(first)} → ${angle(last)}` : angle(first);
    const meterset = beam.meterset === null ? "–" : `${beam.meterset.toFixed(1)} ${beam.meterset_unit ?? ""}`;
    return cells([`${beam.number} ${beam.name}${beam.setup ? " (setup)" : ""}`, [beam.radiation, ...beam.energies].filter(Boolean).join(" ") || "–", gantry, angle(beam.collimator), angle(beam.couch), meterset, go]);
  }));
  root.querySelector("[data-beams]").hidden = !view.beams.length;
}

// Dose along a line in mm from its beginning; null outside the grid.
export function profile(grid, a, b, samples = SAMPLES) {
  const length = Math.hypot(...a.map((value, axis) => b[axis] - value));
  const at = Array.from({ length: samples }, (_, i) => (length * i) / (samples - 1));
  const dose = at.map((_, i) => grid.sample(...a.map((value, axis) => value + ((b[axis] - value) * i) / (samples - 1))));
  return { at, dose };
}

export class ProfilePlot {
  constructor(root, app) {
    Object.assign(this, { root, app, plot: root.querySelector(".profile-plot"), note: root.querySelector("p") });
    new ResizeObserver(() => this.chart?.setSize(this.size())).observe(this.plot);
  }

  size() {
    return { width: Math.max(this.plot.clientWidth, 200), height: Math.max(this.plot.clientHeight, 120) };
  }

  draw() {
    const { ruler, compare } = this.app.state;
    const { grid } = this.app;
    this.chart?.destroy();
    this.chart = null;
    this.note.hidden = Boolean(ruler && grid);
    if (!ruler || !grid) return;
    const own = profile(grid, ruler.a, ruler.b);
    const columns = [own.at, own.dose];
    const series = [{ label: "mm" }, { label: this.app.doseUnit, stroke: "#56b4e9", width: 1.8, points: { show: false } }];
    if (compare?.grid) {
      columns.push(profile(compare.grid, ruler.a, ruler.b).dose);
      series.push({ label: "B", stroke: "#f2a512", width: 1.6, dash: [5, 4], points: { show: false } });
    }
    const options = {
      ...this.size(),
      series,
      scales: { x: { time: false } },
      legend: { show: true },
      axes: [{ ...AXIS, label: "Along the ruler [mm]", size: 28 }, { ...AXIS, label: `Dose [${this.app.doseUnit}]`, size: 42 }],
      cursor: { points: { size: 5 } },
    };
    this.chart = new window.uPlot(options, columns, this.plot);
  }
}

// Beams by their isocentre, setup fields left out.
export function isocentresOf(beams) {
  const found = new Map();
  for (const beam of beams) {
    if (!beam.isocenter_mm || beam.setup) continue;
    const key = beam.isocenter_mm.map((value) => value.toFixed(1)).join();
    if (!found.has(key)) found.set(key, { at: beam.isocenter_mm, names: [] });
    found.get(key).names.push(beam.name);
  }
  return [...found.values()].map(({ at, names }) => ({ at, names: names.length > 3 ? `${names.length} beams` : names.join(", ") }));
}
