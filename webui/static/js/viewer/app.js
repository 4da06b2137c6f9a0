// The state of the view and what people do to it; the parts draw themselves from it.
import { save } from "../save.js";
import { writeLink } from "./link.js";
import { onBlack } from "./palette.js";
import { isocentresOf } from "./plan.js";
import { snapshot } from "./snapshot.js";
import { stopsOf, windowsOf } from "./stops.js";

const LAYOUTS = ["axial", "sagittal", "coronal"];
const LINK_DELAY_MS = 250;

export class App {
  constructor(view, pack) {
    Object.assign(this, { view, pack, rois: null, grid: null, layout: "axial", defaultOpacity: 0.3 });
    this.volume = pack.volume;
    this.facts = new Map(view.rois.map((roi) => [roi.number, roi]));
    this.colors = new Map(view.rois.map((roi) => [roi.number, onBlack(roi.color)]));
    this.state = {
      position: [...pack.meta.start_mm], window: null, doseId: null, levels: [], reference: view.levels[0] ?? null,
      lines: true, wash: true, structures: true, crosshair: true, isocentres: true, fields: false, smooth: true,
      opacity: this.defaultOpacity, shown: new Set(), near: null, cursorGy: null,
      tool: "cross", ruler: null, compare: null, difference: false, differenceGy: 3,
    };
    this.askCompare = () => {};
    this.waiting = { base: new Set(), marks: new Set() };
    this.isocentres = pack.meta.plan_refused ? [] : isocentresOf(view.beams);
    this.measure();
  }

  // Where there is something to see: images, doses and contours together.
  measure() {
    this.stops = [0, 1, 2].map((axis) => stopsOf(axis, this));
    const grids = (this.volume ? [this.volume] : this.pack.doses.filter((dose) => dose.file)).map((one) => [one.x_mm, one.y_mm, one.z_mm].map((mm) => [mm[0], mm.at(-1)]));
    const outlines = this.volume ? [] : this.pack.meta.rois.filter((roi) => roi.box_mm).map(({ box_mm: [low, high] }) => [0, 1, 2].map((axis) => [low[axis], high[axis]]));
    const spans = [0, 1, 2].map((axis) => {
      const ends = [...grids, ...outlines].flatMap((box) => box[axis]);
      const stops = axis === 2 || !ends.length ? [this.stops[axis][0], this.stops[axis].at(-1)] : [];
      return [Math.min(...ends, ...stops), Math.max(...ends, ...stops)];
    });
    const air = (span) => (span[1] - span[0] < 1 ? 20 : 5);
    this.extent = this.body() ?? { low: spans.map((span) => span[0] - air(span)), high: spans.map((span) => span[1] + air(span)) };
  }

  // The patient's outline, where it was drawn: the rest of the field of view is air.
  body() {
    const outer = this.pack.meta.rois.find((roi) => roi.box_mm && this.facts.get(roi.number)?.type === "EXTERNAL");
    if (!outer) return null;
    const [low, high] = outer.box_mm;
    return { low: low.map((value) => value - 12), high: high.map((value) => value + 12) };
  }

  get panes() {
    return this.paneList;
  }

  get doseUnit() {
    const grid = this.grid ?? this.pack.doses.find((dose) => dose.file);
    if (grid?.units === "RELATIVE") return "%";
    return grid?.type === "EFFECTIVE" ? "Gy (RBE)" : "Gy";
  }

  color(number) {
    return this.colors.get(number) ?? "#c8d2dc";
  }

  // Half the step between two stops: how far a contour may lie from the plane it is drawn in.
  tolerance(axis) {
    if (axis === 2 && this.volume) return Math.max(this.volume.axes[2].usual / 2, 0.5);
    return axis === 2 ? this.zStep / 2 : 0.5;
  }

  redraw(panes = this.panes, marksOnly = false) {
    if (!this.panes) return;
    for (const pane of panes) this.waiting[marksOnly ? "marks" : "base"].add(pane);
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      const { base, marks } = this.waiting;
      this.waiting = { base: new Set(), marks: new Set() };
      for (const pane of base) pane.draw();
      for (const pane of marks) if (!base.has(pane)) pane.drawMarks();
    });
  }

  changed(what) {
    if (what === "levels") this.state.levelsChanged = true;
    if (what === "levels") this.dvh.chart?.redraw(false);
    this.redraw();
    this.remember();
  }

  // The address is written once everything that it asked for is shown.
  remember() {
    if (!this.ready) return;
    clearTimeout(this.linkTimer);
    this.linkTimer = setTimeout(() => writeLink(this), LINK_DELAY_MS);
  }

  // Moves the crosshair; only panes whose plane changes are drawn anew.
  moveTo(position, from = null) {
    const before = this.state.position;
    this.state.position = position.map((value, axis) => this.snap(axis, value));
    const moved = (pane) => this.state.position[pane.spec.n] !== before[pane.spec.n];
    this.redraw(this.panes.filter((pane) => moved(pane) && pane !== from));
    this.redraw(this.panes.filter((pane) => !moved(pane) || pane === from), true);
    this.status.tell(this.state.position);
    this.remember();
  }

  // Slices stop at images; across them every position is one.
  snap(axis, value) {
    const stops = this.stops[axis];
    if (axis !== 2) return Math.min(Math.max(value, stops[0]), stops.at(-1));
    return stops.reduce((best, stop) => (Math.abs(stop - value) < Math.abs(best - value) ? stop : best), stops[0]);
  }

  step(axis, count) {
    const stops = this.stops[axis];
    const here = this.state.position[axis];
    let index = stops.findIndex((stop) => stop >= here - 1e-6);
    if (index < 0) index = stops.length - 1;
    const next = Math.min(Math.max(index + count, 0), stops.length - 1);
    const position = [...this.state.position];
    position[axis] = stops[next];
    this.moveTo(position);
  }

  goTo(position, name) {
    if (!position) return;
    this.moveTo(position);
    for (const pane of this.panes) pane.reveal(this.state.position);
    this.redraw();
    this.status.say(`At ${name}.`);
  }

  goToMaximum() {
    if (this.grid) this.goTo(this.grid.max_at_mm, `the highest dose, ${this.grid.max.toFixed(2)} ${this.doseUnit}`);
  }

  goToIsocentre() {
    const count = this.isocentres.length;
    if (!count) return;
    this.isocentre = ((this.isocentre ?? -1) + 1) % count;
    const { at, names } = this.isocentres[this.isocentre];
    this.goTo(at, `the isocentre of ${names}`);
  }

  nextStructure(way) {
    this.structure = this.list.next(this.structure, way);
    const roi = this.rois?.find((one) => one.number === this.structure);
    if (roi) this.goTo(roi.center_mm, `the centre of ${roi.name}`);
  }

  setWindow(center, width) {
    this.state.window = { center, width };
    this.volume?.setWindow(center, width);
    this.toolbar.refresh();
    this.redraw();
    this.remember();
  }

  get windows() {
    return windowsOf(this.volume);
  }

  preset(place) {
    const chosen = this.windows[place];
    if (chosen) this.setWindow(chosen.center, chosen.width);
  }

  invert() {
    if (!this.volume) return;
    this.volume.flipped = !this.volume.flipped;
    this.setWindow(this.state.window.center, this.state.window.width);
  }

  flip(name) {
    this.state[name] = !this.state[name];
    this.toolbar.refresh();
    this.redraw();
    this.remember();
  }

  setOpacity(value) {
    this.state.opacity = Math.min(Math.max(value, 0.05), 1);
    this.toolbar.refresh();
    this.redraw();
    this.remember();
  }

  toggle(number) {
    this.structure = number;
    this.state.shown[this.state.shown.has(number) ? "delete" : "add"](number);
    this.shownChanged();
  }

  show(numbers) {
    this.state.shown = new Set(numbers);
    this.shownChanged();
  }

  shownChanged() {
    this.state.shownChanged = true;
    this.list.refresh();
    this.dvh.refresh();
    this.redraw();
    this.remember();
  }

  bringNear(number, from) {
    if (this.state.near === number) return;
    this.state.near = number;
    this.list.highlight(number);
    if (from !== "dvh") this.dvh.highlight(number);
    this.redraw();
  }

  showCursorDose(gy) {
    if (this.state.cursorGy === gy) return;
    this.state.cursorGy = gy;
    this.redraw();
  }

  hover(pane, position) {
    this.status.point(pane ? position : null, pane);
  }

  focus(pane) {
    this.pane = pane;
    for (const own of this.panes) own.root.classList.toggle("active", own === pane);
  }

  setTool(tool) {
    this.state.tool = tool;
    if (tool !== "ruler") this.state.ruler = null;
    this.toolbar.refresh();
    this.redraw(this.panes, true);
    this.remember();
  }

  rulerDrawn() {
    this.tabs.open("profile");
    this.profile.draw();
    this.remember();
  }

  setLayout(name) {
    this.layout = name;
    this.stage.dataset.layout = name;
    for (const pane of this.panes) pane.fitted = true;
    this.focus(this.panes.find((pane) => pane.spec.name === name));
    this.remember();
  }

  nextLayout() {
    this.setLayout(LAYOUTS[(LAYOUTS.indexOf(this.layout) + 1) % LAYOUTS.length]);
  }

  maximise(pane) {
    if (this.layout === pane.spec.name) this.stage.classList.toggle("alone");
    else this.setLayout(pane.spec.name);
  }

  reset() {
    this.stage.classList.remove("alone");
    if (this.volume) this.volume.flipped = false;
    this.setTool("cross");
    for (const pane of this.panes) pane.fit();
    this.preset(0);
    this.redraw();
  }

  title() {
    const { patient, label } = this.view;
    return patient ? `${patient.name}  ${patient.number}  ·  ${label}` : label;
  }

  subtitle() {
    const dose = this.grid ? `Dose: ${this.grid.label}, highest ${this.grid.max.toFixed(2)} ${this.doseUnit}. ` : "";
    return `${dose}${this.compared()}Not for treatment decisions.`;
  }

  // What solid, dashed and coloured mean while two are compared.
  compared() {
    const { compare, difference, differenceGy } = this.state;
    if (!compare) return "";
    const colors = difference ? ` Colour: A − B, full at ± ${differenceGy} ${this.doseUnit}, orange where A is higher.` : "";
    return `A solid: ${this.grid?.label ?? this.view.label}. B dashed: ${compare.name}.${colors} `;
  }

  async snapshot() {
    save(`${this.view.label} viewer.png`, await snapshot(this));
  }
}
