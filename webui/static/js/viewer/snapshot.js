// A picture of all panes with what makes it readable: patient, place, levels, structures, warning.
import { label } from "./marks.js";

const MARGIN = 16;
const LINE = 18;

export function snapshot(app) {
  const ratio = window.devicePixelRatio || 1;
  const host = app.stage.getBoundingClientRect();
  const panes = app.panes.filter((pane) => pane.root.offsetParent);
  const below = legendLines(app, host.width);
  const [width, height] = [host.width, host.height + 46 + below.length * LINE + MARGIN];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = "#0b0f14";
  context.fillRect(0, 0, width, height);
  label(context, app.title(), MARGIN, 16, { bold: true, size: 14 });
  label(context, app.subtitle(), MARGIN, 35, { color: "#93a4b5" });
  for (const pane of panes) {
    const box = pane.root.getBoundingClientRect();
    for (const layer of [pane.base, pane.top]) context.drawImage(layer, box.left - host.left, box.top - host.top + 46, box.width, box.height);
  }
  const plot = app.dvh.chart?.ctx.canvas;
  if (plot?.offsetParent) {
    const box = plot.getBoundingClientRect();
    context.drawImage(plot, box.left - host.left, box.top - host.top + 46, box.width, box.height);
  }
  const top = host.height + 46 + LINE;
  below.forEach((items, row) => {
    for (const { x, text, color } of items) {
      context.fillStyle = color;
      context.fillRect(x, top + row * LINE - 5, 10, 10);
      label(context, text, x + 15, top + row * LINE, { size: 11 });
    }
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function legendLines(app, width) {
  const { state } = app;
  const percent = (gy) => (state.reference ? ` (${((100 * gy) / state.reference.gy).toFixed(0)} %)` : "");
  const levels = state.levels.filter((level) => level.on).reverse().map((level) => ({ text: `${level.gy.toFixed(1)} ${app.doseUnit}${percent(level.gy)}`, color: level.color }));
  const rois = (app.rois ?? []).filter((roi) => state.shown.has(roi.number)).map((roi) => ({ text: roi.name, color: app.color(roi.number) }));
  const column = 150;
  const columns = Math.max(1, Math.floor((width - 2 * MARGIN) / column));
  const lines = [];
  for (const items of [app.grid && state.lines ? levels : [], state.structures ? rois : []]) {
    for (let first = 0; first < items.length; first += columns) {
      lines.push(items.slice(first, first + columns).map((item, place) => ({ ...item, x: MARGIN + place * column })));
    }
  }
  return lines;
}
