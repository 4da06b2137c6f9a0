// What lies above the picture of a pane: crosshair, ends, scale, ruler, isocentres, notes.
import { LETTERS } from "./axis.js";

const INK = "#dfe7ef";
const FAINT = "#93a4b5";
const NICE_MM = [1, 2, 5, 10, 20, 50, 100, 200];

export function drawMarks(pane) {
  const { marks: context, ratio, width, height } = pane;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (pane.app.state.crosshair) crosshair(pane, context);
  isocentres(pane, context);
  if (pane.app.state.fields) fields(pane, context);
  ruler(pane, context);
  ends(pane, context);
  scaleBar(pane, context);
  head(pane, context);
}

// Text grows on very large screens.
const scale = () => (window.innerWidth >= 3000 ? 1.5 : 1);

// Text that can be read on bone and on air.
export function label(context, text, x, y, { align = "left", color = INK, bold = false, size = 12 } = {}) {
  context.font = `${bold ? "600 " : ""}${size * scale()}px system-ui, sans-serif`;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.75)";
  context.strokeText(text, x, y);
  context.fillStyle = color;
  context.fillText(text, x, y);
}

function crosshair(pane, context) {
  const { position } = pane.app.state;
  const [x, y] = pane.place(position[pane.spec.u], position[pane.spec.v]);
  context.strokeStyle = "rgba(126, 200, 255, 0.65)";
  context.lineWidth = 1;
  context.setLineDash([4, 5]);
  context.beginPath();
  const gap = 9;
  for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, pane.width, y], [x, 0, x, y - gap], [x, y + gap, x, pane.height]]) {
    context.moveTo(Math.round(x0) + 0.5, Math.round(y0) + 0.5);
    context.lineTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  }
  context.stroke();
  context.setLineDash([]);
}

function isocentres(pane, context) {
  const { app, spec } = pane;
  if (!app.state.isocentres) return;
  const reach = Math.max(app.tolerance(spec.n), 1);
  for (const { at, names } of app.isocentres) {
    const isHere = Math.abs(at[spec.n] - pane.at) <= reach;
    if (!isHere) continue;
    const [x, y] = pane.place(at[spec.u], at[spec.v]);
    context.strokeStyle = "#ff5fd2";
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.moveTo(x - 10, y);
    context.lineTo(x + 10, y);
    context.moveTo(x, y - 10);
    context.lineTo(x, y + 10);
    context.stroke();
    label(context, names, x + 12, y - 10, { color: "#ff9be3", size: 11 });
  }
}

// The edges of a frustum whose corners are its near and far ends.
const EDGES = [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]];
const NEAR = 0.7;
const FAR = 1.3;

// Where the plane of a pane cuts the diverging field of each beam, between 0.7 and 1.3 times the
// distance from source to axis: at the first control point.
function fields(pane, context) {
  const { app, spec } = pane;
  context.strokeStyle = "#ffb3ec";
  context.lineWidth = 1;
  context.setLineDash([2, 3]);
  for (const field of app.pack.meta.fields) {
    const ends = [NEAR, FAR].flatMap((part) => field.corners_mm.map((corner) => corner.map((value, axis) => field.source_mm[axis] + part * (value - field.source_mm[axis]))));
    const points = EDGES.flatMap(([a, b]) => crossed(ends[a], ends[b], spec, pane.at)).map(([u, v]) => pane.place(u, v));
    if (points.length < 3) continue;
    const middle = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
    points.sort((a, b) => Math.atan2(a[1] - middle[1], a[0] - middle[0]) - Math.atan2(b[1] - middle[1], b[0] - middle[0]));
    context.beginPath();
    points.forEach((point, place) => (place ? context.lineTo(...point) : context.moveTo(...point)));
    context.closePath();
    context.stroke();
  }
  context.setLineDash([]);
}

function crossed(a, b, spec, at) {
  if (a[spec.n] <= at === b[spec.n] <= at) return [];
  const share = (at - a[spec.n]) / (b[spec.n] - a[spec.n]);
  return [[spec.u, spec.v].map((axis) => a[axis] + share * (b[axis] - a[axis]))];
}

function ruler(pane, context) {
  const line = pane.app.state.ruler;
  if (!line || line.pane !== pane.spec.name) return;
  if (Math.abs(line.a[pane.spec.n] - pane.at) > pane.app.tolerance(pane.spec.n) + 1e-3) return;
  const [a, b] = [line.a, line.b].map((end) => pane.place(end[pane.spec.u], end[pane.spec.v]));
  const length = Math.hypot(...line.a.map((value, axis) => value - line.b[axis]));
  context.lineWidth = 4;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  for (const [width, color] of [[4, "rgba(0, 0, 0, 0.6)"], [1.8, "#fff2a8"]]) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    context.stroke();
  }
  context.fillStyle = "#fff2a8";
  for (const [x, y] of [a, b]) {
    context.beginPath();
    context.arc(x, y, 3, 0, 2 * Math.PI);
    context.fill();
  }
  label(context, `${length.toFixed(1)} mm`, b[0] + 9, b[1] - 11, { color: "#fff2a8", bold: true });
}

function ends(pane, context) {
  const [left, right, top, bottom] = pane.spec.ends;
  const [width, height] = [pane.width, pane.height];
  const options = { align: "center", color: FAINT, bold: true };
  label(context, left, 11, height / 2, options);
  label(context, right, width - 11, height / 2, options);
  label(context, top, width > 420 ? width / 2 : width - 16, 12, options);
  label(context, bottom, width / 2, height - 12, options);
}

function scaleBar(pane, context) {
  const room = Math.min(pane.width / 4, 140);
  const mm = NICE_MM.findLast((length) => length * pane.scale <= room) ?? 1;
  const [x, y] = [pane.width - 14, pane.height - 14];
  const start = x - mm * pane.scale;
  context.strokeStyle = INK;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(start, y - 4);
  context.lineTo(start, y);
  context.lineTo(x, y);
  context.lineTo(x, y - 4);
  context.stroke();
  label(context, mm >= 10 ? `${mm / 10} cm` : `${mm} mm`, x, y - 12, { align: "right", color: FAINT, size: 11 });
}

function head(pane, context) {
  const { app, spec } = pane;
  const { volume } = app;
  const k = scale();
  label(context, `${spec.title}  ${LETTERS[spec.n]} ${pane.at.toFixed(1)} mm`, 10 * k, 14 * k, { bold: true });
  const lines = [];
  if (volume) {
    const axis = volume.axes[spec.n];
    const index = axis.slab(pane.at);
    lines.push(index < 0 ? "no image here" : `${volume.modality} ${index + 1}/${axis.count}`);
  } else {
    lines.push("no images");
  }
  if (app.grid && pane.noDose) lines.push("outside the dose grid");
  lines.forEach((text, place) => label(context, text, 10 * k, (31 + 15 * place) * k, { color: FAINT, size: 11 }));
}
