// Positions along one patient axis, ascending in mm; steps may differ.
const GAP_FACTOR = 1.5;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export class Axis {
  // A single position reaches half of `alone` mm to both sides.
  constructor(positions, alone = 1) {
    this.mm = Float64Array.from(positions);
    this.count = this.mm.length;
    const steps = [];
    for (let i = 1; i < this.count; i++) steps.push(this.mm[i] - this.mm[i - 1]);
    this.usual = steps.length ? median(steps) : alone;
    this.least = steps.length ? Math.min(...steps) : alone;
    this.even = steps.every((step) => Math.abs(step - this.usual) < 1e-4);
    this.low = this.mm[0];
    this.high = this.mm[this.count - 1];
  }

  // The last position at or below a value, as an index from 0.
  below(value) {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.mm[middle] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  nearest(value) {
    const index = this.below(value);
    const next = index + 1;
    return next < this.count && this.mm[next] - value < value - this.mm[index] ? next : index;
  }

  // The position whose slab holds a value; -1 in gaps and outside.
  slab(value) {
    const index = this.nearest(value);
    const side = value < this.mm[index] ? index - 1 : index;
    const step = side >= 0 && side + 1 < this.count ? this.mm[side + 1] - this.mm[side] : this.usual;
    const reach = (step > GAP_FACTOR * this.usual ? this.usual : step) / 2;
    return Math.abs(value - this.mm[index]) <= reach + 1e-6 ? index : -1;
  }

  // Index and fraction towards the next one; null outside the outermost positions.
  locate(value) {
    if (this.count === 1) return Math.abs(value - this.low) <= this.usual / 2 + 1e-6 ? [0, 0] : null;
    if (value < this.low - 1e-6 || value > this.high + 1e-6) return null;
    const index = Math.min(this.below(value), this.count - 2);
    const fraction = (value - this.mm[index]) / (this.mm[index + 1] - this.mm[index]);
    return [index, Math.min(Math.max(fraction, 0), 1)];
  }

  // Even positions over the same range: the nearest own index for each, -1 in gaps.
  evened() {
    if (this.even) return { first: this.low, step: this.usual, map: null, count: this.count };
    const count = Math.round((this.high - this.low) / this.least) + 1;
    const map = new Int32Array(count);
    for (let i = 0; i < count; i++) map[i] = this.slab(this.low + i * this.least);
    return { first: this.low, step: this.least, map, count };
  }
}

// A pane shows axes u (to the right) and v (down where vSign is 1) at one position of axis n.
export const PANES = {
  axial: { name: "axial", title: "Axial", u: 0, v: 1, n: 2, vSign: 1, ends: ["R", "L", "A", "P"] },
  sagittal: { name: "sagittal", title: "Sagittal", u: 1, v: 2, n: 0, vSign: -1, ends: ["A", "P", "S", "I"] },
  coronal: { name: "coronal", title: "Coronal", u: 0, v: 2, n: 1, vSign: -1, ends: ["R", "L", "S", "I"] },
};
export const LETTERS = ["X", "Y", "Z"];
