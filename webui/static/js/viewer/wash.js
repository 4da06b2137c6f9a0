// Dose as colour: between the levels the colours run into each other, below the lowest is nothing.
import { rgb } from "./palette.js";

const MOST_PIXELS = 250000;
const STEPS = 512;
const COLD = [63, 143, 221];
const HOT = [238, 106, 31];
const canvases = new Map();

function surface(name, width, height) {
  let own = canvases.get(name);
  if (!own || own.canvas.width !== width || own.canvas.height !== height) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    own = { canvas, context, picture, pixels: new Uint32Array(picture.data.buffer) };
    canvases.set(name, own);
  }
  return own;
}

const packed = ([red, green, blue], alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

// Colours for doses from the lowest to above the highest level; null where no level is shown.
export function doseColors(levels) {
  const shown = levels.filter((level) => level.on).sort((a, b) => a.gy - b.gy);
  if (!shown.length) return null;
  const [low, high] = [shown[0].gy, shown[shown.length - 1].gy];
  const table = new Uint32Array(STEPS + 1);
  for (let step = 0; step <= STEPS; step++) {
    const dose = low + ((high - low) * step) / STEPS;
    const place = Math.max(shown.findLastIndex((level) => level.gy <= dose), 0);
    const [one, other] = [shown[place], shown[Math.min(place + 1, shown.length - 1)]];
    const share = other.gy > one.gy ? (dose - one.gy) / (other.gy - one.gy) : 0;
    const [from, to] = [rgb(one.color), rgb(other.color)];
    table[step] = packed(from.map((part, i) => Math.round(part + (to[i] - part) * share)), 255);
  }
  return { table, low, scale: high > low ? STEPS / (high - low) : 0, below: 0 };
}

// Colours for differences: blue where A is lower, orange where it is higher, nothing near zero.
export function differenceColors(range) {
  const table = new Uint32Array(STEPS + 1);
  for (let step = 0; step <= STEPS; step++) {
    const share = (2 * step) / STEPS - 1;
    const alpha = Math.round(255 * Math.min(1, Math.max(0, Math.abs(share) - 0.05) * 1.4));
    table[step] = packed(share < 0 ? COLD : HOT, alpha);
  }
  return { table, low: -range, scale: STEPS / (2 * range), below: table[0] };
}

// What is not a number is unknown and gets no colour.
function colored({ table, low, scale, below }, value) {
  if (value >= low) return table[Math.min(STEPS, ((value - low) * scale) | 0)];
  return value < low ? below : 0;
}

function samples(axis, factor) {
  const count = Math.max(1, Math.round((axis.high - axis.low) / (axis.least / factor))) + 1;
  const step = count > 1 ? (axis.high - axis.low) / (count - 1) : 1;
  const index = new Int32Array(count);
  const share = new Float32Array(count);
  for (let i = 0; i < count; i++) [index[i], share[i]] = axis.locate(Math.min(axis.low + i * step, axis.high));
  return { count, step, index, share };
}

// The values of a plane between its nodes, row by row.
function refined(plane, u, v) {
  const { values } = plane;
  const width = plane.u.count;
  const row = new Float32Array(width + 1);
  const made = new Float32Array(u.count * v.count);
  let out = 0;
  for (let j = 0; j < v.count; j++) {
    const first = v.index[j] * width;
    const part = v.share[j];
    for (let i = 0; i < width; i++) {
      const value = values[first + i];
      row[i] = part > 0 ? value + (values[first + width + i] - value) * part : value;
    }
    for (let i = 0; i < u.count; i++) {
      const k = u.index[i];
      made[out++] = u.share[i] > 0 ? row[k] + (row[k + 1] - row[k]) * u.share[i] : row[k];
    }
  }
  return made;
}

// A picture { canvas, u0, v0, du, dv } in mm; `other` gives the dose to subtract at (u, v).
export function washPicture(name, plane, color, pxPerMm, other = null) {
  const finest = Math.min(plane.u.least, plane.v.least) * pxPerMm;
  const room = Math.sqrt(MOST_PIXELS / plane.values.length);
  const factor = Math.max(1, Math.min(6, Math.ceil(finest / 2.5), Math.floor(room)));
  const [u, v] = [samples(plane.u, factor), samples(plane.v, factor)];
  const { canvas, context, picture, pixels } = surface(name, u.count, v.count);
  const values = refined(plane, u, v);
  for (let place = 0; place < values.length; place++) {
    let value = values[place];
    if (other) value -= other(plane.u.low + (place % u.count) * u.step, plane.v.low + Math.floor(place / u.count) * v.step) ?? NaN;
    pixels[place] = colored(color, value);
  }
  context.putImageData(picture, 0, 0);
  return { canvas, u0: plane.u.low, v0: plane.v.low, du: u.step, dv: v.step };
}
