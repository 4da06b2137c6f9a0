// One pane: where it looks, and its picture of images, dose and structures.
import { HALO, CURSOR_COLOR } from "./palette.js";
import { drawMarks } from "./marks.js";
import { isodosePath, roiPath } from "./paths.js";
import { differenceColors, doseColors, washPicture } from "./wash.js";

const LINE_PX = 1.3;
const ROI_PX = 1.6;
const B_DASH = [5, 4];

export class Pane {
  constructor(root, spec, app) {
    Object.assign(this, { root, spec, app });
    [this.base, this.top] = root.querySelectorAll("canvas");
    this.context = this.base.getContext("2d", { alpha: false });
    this.marks = this.top.getContext("2d");
    new ResizeObserver(() => this.resize()).observe(root);
  }

  get at() {
    return this.app.state.position[this.spec.n];
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    if (!width || !height) return;
    for (const canvas of [this.base, this.top]) {
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    }
    const first = !this.width;
    Object.assign(this, { width, height, ratio });
    if (first || this.fitted) this.fit();
    this.app.redraw([this]);
  }

  // The whole extent, with a little air.
  fit() {
    const { low, high } = this.app.extent;
    const { u, v } = this.spec;
    this.center = [(low[u] + high[u]) / 2, (low[v] + high[v]) / 2];
    this.scale = 0.96 * Math.min(this.width / (high[u] - low[u]), (this.height - 8) / (high[v] - low[v]));
    this.fitted = true;
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const held = this.position(x, y);
    this.scale = Math.min(Math.max(this.scale * factor, 0.2), 80);
    const moved = this.position(x, y);
    this.center[0] += held[this.spec.u] - moved[this.spec.u];
    this.center[1] += held[this.spec.v] - moved[this.spec.v];
    this.fitted = false;
    this.app.redraw([this]);
  }

  pan(dx, dy) {
    this.center[0] -= dx / this.scale;
    this.center[1] -= (this.spec.vSign * dy) / this.scale;
    this.fitted = false;
    this.app.redraw([this]);
  }

  place = (u, v) => [
    this.width / 2 + (u - this.center[0]) * this.scale,
    this.height / 2 + this.spec.vSign * (v - this.center[1]) * this.scale,
  ];

  position(x, y) {
    const found = [...this.app.state.position];
    found[this.spec.u] = this.center[0] + (x - this.width / 2) / this.scale;
    found[this.spec.v] = this.center[1] + (this.spec.vSign * (y - this.height / 2)) / this.scale;
    return found;
  }

  // Brings a position into sight without changing the zoom.
  reveal(position) {
    const [x, y] = this.place(position[this.spec.u], position[this.spec.v]);
    if (x > 0 && y > 0 && x < this.width && y < this.height) return;
    this.center = [position[this.spec.u], position[this.spec.v]];
    this.fitted = false;
  }

  draw() {
    if (!this.width) return;
    const { context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.width, this.height);
    this.shown = this.app.volume?.slice(this.spec, this.at) ?? null;
    if (this.shown) this.picture(this.shown, 0.5);
    this.drawDose();
    this.drawRois();
    this.drawMarks();
  }

  drawMarks() {
    if (this.width) drawMarks(this);
  }

  // Draws a canvas whose pixels lie at even positions in mm; `rim` of a step around them is theirs.
  picture({ canvas, u0, v0, du, dv }, rim) {
    const { context, spec } = this;
    const [x0, y0] = this.place(u0 - rim * du, v0 - rim * dv);
    const [x1, y1] = this.place(u0 + (canvas.width - 1 + rim) * du, v0 + (canvas.height - 1 + rim) * dv);
    const margin = 0.5 - rim;
    const source = [margin, margin, canvas.width - 2 * margin, canvas.height - 2 * margin];
    context.imageSmoothingEnabled = this.app.state.smooth;
    if (spec.vSign > 0) {
      context.drawImage(canvas, ...source, x0, y0, x1 - x0, y1 - y0);
      return;
    }
    context.save();
    context.translate(0, y0);
    context.scale(1, -1);
    context.drawImage(canvas, ...source, x0, 0, x1 - x0, y0 - y1);
    context.restore();
  }

  drawDose() {
    const { app, context } = this;
    const { state } = app;
    const plane = app.grid?.plane(this.spec, this.at);
    const other = state.compare?.grid?.plane(this.spec, this.at) ?? null;
    this.noDose = !plane;
    if (plane && state.wash) this.drawWash(plane);
    if (!state.lines) return;
    if (plane) for (const level of state.levels) if (level.on) this.stroke(isodosePath(plane, level.gy, this.place), level.color, LINE_PX, []);
    if (other) for (const level of state.levels) if (level.on) this.stroke(isodosePath(other, level.gy, this.place), level.color, LINE_PX, B_DASH);
    if (plane && state.cursorGy !== null) this.stroke(isodosePath(plane, state.cursorGy, this.place), CURSOR_COLOR, 1.2, [2, 3]);
    context.setLineDash([]);
  }

  drawWash(plane) {
    const { state } = this.app;
    const { compare } = state;
    const differs = compare?.grid && state.difference;
    const color = differs ? differenceColors(state.differenceGy) : doseColors(state.levels);
    if (!color) return;
    const point = [...state.position];
    const taken = (u, v) => {
      [point[this.spec.u], point[this.spec.v]] = [u, v];
      return compare.grid.sample(...point);
    };
    const made = washPicture(this.spec.name, plane, color, this.scale, differs ? taken : null);
    this.context.globalAlpha = differs ? 0.75 : state.opacity;
    this.picture(made, 0);
    this.context.globalAlpha = 1;
  }

  stroke(path, color, width, dash) {
    const { context } = this;
    context.lineJoin = "round";
    context.setLineDash([]);
    context.strokeStyle = HALO;
    context.lineWidth = width + 1.8;
    if (!dash.length) context.stroke(path);
    context.setLineDash(dash);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke(path);
  }

  drawRois() {
    const { app, context } = this;
    if (!app.rois || !app.state.structures) return;
    const tolerance = app.tolerance(this.spec.n);
    context.setLineDash([]);
    context.lineJoin = "round";
    for (const roi of app.rois) {
      const isNear = app.state.near === roi.number;
      if (!app.state.shown.has(roi.number) && !isNear) continue;
      context.strokeStyle = app.color(roi.number);
      context.lineWidth = isNear ? ROI_PX + 1.4 : ROI_PX;
      context.stroke(roiPath(roi, this.spec, this.at, tolerance, this.place));
    }
  }
}
