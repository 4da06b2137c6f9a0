// A dose grid: values at any point, and planes through it in its own lattice.
import { Axis } from "./axis.js";

export class DoseGrid {
  constructor(meta, buffer) {
    Object.assign(this, meta);
    const counts = [meta.x_mm, meta.y_mm, meta.z_mm];
    // A single row, column or frame is as thick as the smallest other step.
    const steps = counts.filter((list) => list.length > 1).map((list) => new Axis(list).least);
    const alone = steps.length ? Math.min(...steps) : 1;
    this.axes = counts.map((list) => new Axis(list, alone));
    this.values = new Float32Array(buffer);
    [this.nx, this.ny] = [this.axes[0].count, this.axes[1].count];
    this.planes = new Map();
  }

  // Trilinear between voxel centres, null outside of them: unknown, not zero.
  sample(x, y, z) {
    const place = [this.axes[0].locate(x), this.axes[1].locate(y), this.axes[2].locate(z)];
    if (place.includes(null)) return null;
    const strides = [1, this.nx, this.nx * this.ny];
    let total = 0;
    for (let corner = 0; corner < 8; corner++) {
      let weight = 1;
      let index = 0;
      for (let axis = 0; axis < 3; axis++) {
        const [first, fraction] = place[axis];
        const up = (corner >> axis) & 1;
        weight *= up ? fraction : 1 - fraction;
        index += (first + up) * strides[axis];
      }
      if (weight > 0) total += weight * this.values[index];
    }
    return Number.isNaN(total) ? null : total;
  }

  // The plane of a pane: { u, v, values } with values by rows of v; null outside the grid.
  plane(spec, at) {
    const place = this.axes[spec.n].locate(at);
    if (!place) return null;
    const key = `${spec.name} ${at}`;
    const kept = this.planes.get(key);
    if (kept) return kept;
    const made = this.cut(spec, place);
    if (this.planes.size > 24) this.planes.delete(this.planes.keys().next().value);
    this.planes.set(key, made);
    return made;
  }

  cut(spec, [index, fraction]) {
    const [u, v] = [this.axes[spec.u], this.axes[spec.v]];
    const strides = [1, this.nx, this.nx * this.ny];
    const [su, sv, sn] = [strides[spec.u], strides[spec.v], strides[spec.n]];
    const values = new Float32Array(u.count * v.count);
    const ahead = fraction > 0 ? sn : 0;
    let out = 0;
    for (let row = 0; row < v.count; row++) {
      let place = index * sn + row * sv;
      for (let column = 0; column < u.count; column++, place += su) {
        const value = this.values[place];
        values[out++] = ahead ? value + (this.values[place + ahead] - value) * fraction : value;
      }
    }
    return { u, v, values, lines: new Map() };
  }
}
