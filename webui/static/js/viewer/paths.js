// Structures and isodoses of one pane as paths in screen pixels.
import { keptIsolines } from "./isolines.js";
import { outline } from "./rois.js";

// `place(u, v)` turns mm into pixels; `tolerance` is half the step between images.
export function roiPath(roi, spec, at, tolerance, place) {
  const path = new Path2D();
  if (roi.axis === spec.n) inPlane(path, roi, spec, roi.planeAt(at, tolerance), place);
  else acrossPlanes(path, roi, spec, at, place);
  for (const line of roi.lines) addLine(path, roi, spec, at, tolerance, line, place);
  return path;
}

function inPlane(path, roi, spec, plane, place) {
  if (!plane) return;
  for (const [start, count] of plane.rings) {
    trace(path, roi.points, spec, start, count, place);
    path.closePath();
  }
}

function trace(path, points, spec, start, count, place) {
  for (let i = 0; i < count; i++) {
    const k = 3 * (start + i);
    const [x, y] = place(points[k + spec.u], points[k + spec.v]);
    if (i) path.lineTo(x, y);
    else path.moveTo(x, y);
  }
}

function acrossPlanes(path, roi, spec, at, place) {
  const alongU = roi.axis === spec.u;
  const spot = (t, r) => (alongU ? place(r, t) : place(t, r));
  outline(roi.cut(spec.n, at), (t0, r0, t1, r1) => {
    path.moveTo(...spot(t0, r0));
    path.lineTo(...spot(t1, r1));
  });
}

// Points, open and oblique contours: drawn where they lie in the pane, else where they cross it.
function addLine(path, roi, spec, at, tolerance, [kind, start, count], place) {
  const { points } = roi;
  const near = (k) => Math.abs(points[3 * k + spec.n] - at) <= tolerance + 1e-3;
  const spot = (k) => place(points[3 * k + spec.u], points[3 * k + spec.v]);
  if (kind === "POINT") {
    for (let k = start; k < start + count; k++) if (near(k)) cross(path, spot(k), 5);
    return;
  }
  const flat = Array.from({ length: count }, (_, i) => start + i).every(near);
  if (flat) {
    trace(path, points, spec, start, count, place);
    if (kind === "OBLIQUE") path.closePath();
    return;
  }
  const steps = kind === "OBLIQUE" ? count : count - 1;
  for (let i = 0; i < steps; i++) {
    const [a, b] = [3 * (start + i), 3 * (start + ((i + 1) % count))];
    const [one, other] = [points[a + spec.n], points[b + spec.n]];
    if (one <= at === other <= at) continue;
    const share = (at - one) / (other - one);
    const middle = (axis) => points[a + axis] + share * (points[b + axis] - points[a + axis]);
    cross(path, place(middle(spec.u), middle(spec.v)), 2.5);
  }
}

function cross(path, [x, y], size) {
  path.moveTo(x - size, y - size);
  path.lineTo(x + size, y + size);
  path.moveTo(x - size, y + size);
  path.lineTo(x + size, y - size);
}

export function isodosePath(plane, gy, place) {
  const path = new Path2D();
  for (const line of keptIsolines(plane, gy)) {
    for (let i = 0; i < line.length; i += 2) {
      const [x, y] = place(line[i], line[i + 1]);
      if (i) path.lineTo(x, y);
      else path.moveTo(x, y);
    }
  }
  return path;
}
