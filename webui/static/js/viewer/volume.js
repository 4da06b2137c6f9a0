// The images: stored values, their meaning, and a slice as a picture.
import { Axis } from "./axis.js";

const KINDS = { int16: Int16Array, float32: Float32Array };
const OPAQUE = 0xff000000;

export class Volume {
  constructor(meta) {
    Object.assign(this, meta);
    this.axes = [new Axis(meta.x_mm), new Axis(meta.y_mm), new Axis(meta.z_mm, meta.thickness_mm ?? 1)];
    [this.nx, this.ny, this.nz] = this.axes.map((axis) => axis.count);
    this.values = new KINDS[meta.kind](this.nx * this.ny * this.nz);
    this.here = new Uint8Array(this.nz);
    this.canvases = new Map();
    this.table = new Uint32Array(65536);
  }

  get complete() {
    return this.here.every((flag) => flag === 1);
  }

  fill(first, last, buffer) {
    this.values.set(new KINDS[this.kind](buffer), first * this.nx * this.ny);
    this.here.fill(1, first, last);
  }

  // Values of voxels, not of points between them; null outside and where nothing was sent.
  value(x, y, z) {
    const [i, j, k] = [this.axes[0].slab(x), this.axes[1].slab(y), this.axes[2].slab(z)];
    if (i < 0 || j < 0 || k < 0 || !this.here[k]) return null;
    const stored = this.values[(k * this.ny + j) * this.nx + i];
    return Number.isNaN(stored) ? null : stored * this.slope + this.intercept;
  }

  // Grey levels of a window, as they lie in a picture's memory.
  setWindow(center, width) {
    this.low = center - width / 2;
    this.scale = 255 / Math.max(width, 1e-6);
    if (this.kind !== "int16") return;
    for (let stored = -32768; stored < 32768; stored++) {
      this.table[stored + 32768] = this.gray(stored * this.slope + this.intercept);
    }
  }

  gray(value) {
    if (Number.isNaN(value)) return OPAQUE;
    let level = (value - this.low) * this.scale;
    level = level < 0 ? 0 : level > 255 ? 255 : level | 0;
    if (this.inverted !== Boolean(this.flipped)) level = 255 - level;
    return OPAQUE | (level << 16) | (level << 8) | level;
  }

  // A slice as { canvas, u0, v0, du, dv } in mm, v upwards in memory order; null where none is.
  slice(spec, at) {
    const index = this.axes[spec.n].slab(at);
    if (index < 0 || (spec.n === 2 && !this.here[index])) return null;
    const u = this.axes[spec.u].evened();
    const v = this.axes[spec.v].evened();
    const { canvas, context, picture, pixels } = this.canvas(spec.name, u.count, v.count);
    this.paint(pixels, spec, index, u, v);
    context.putImageData(picture, 0, 0);
    return { canvas, u0: u.first, v0: v.first, du: u.step, dv: v.step };
  }

  paint(pixels, spec, index, u, v) {
    const strides = [1, this.nx, this.nx * this.ny];
    const [su, sv, base] = [strides[spec.u], strides[spec.v], strides[spec.n] * index];
    const { values, table } = this;
    const whole = this.kind === "int16";
    let out = 0;
    for (let row = 0; row < v.count; row++) {
      const own = v.map ? v.map[row] : row;
      const missing = own < 0 || (spec.v === 2 && !this.here[own]);
      if (missing) {
        pixels.fill(OPAQUE, out, out + u.count);
        out += u.count;
        continue;
      }
      let place = base + own * sv;
      if (u.map) {
        for (let i = 0; i < u.count; i++) pixels[out++] = u.map[i] < 0 ? OPAQUE : this.pixel(values[place + u.map[i] * su]);
      } else if (whole) {
        for (let i = 0; i < u.count; i++, place += su) pixels[out++] = table[values[place] + 32768];
      } else {
        for (let i = 0; i < u.count; i++, place += su) pixels[out++] = this.gray(values[place]);
      }
    }
  }

  pixel(stored) {
    return this.kind === "int16" ? this.table[stored + 32768] : this.gray(stored);
  }

  canvas(name, width, height) {
    let own = this.canvases.get(name);
    if (!own) {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      const picture = context.createImageData(width, height);
      own = { canvas, context, picture, pixels: new Uint32Array(picture.data.buffer) };
      this.canvases.set(name, own);
    }
    return own;
  }
}
