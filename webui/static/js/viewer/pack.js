// The files of a pack: fetched in the order in which they are needed, decompressed by the browser.
import { DoseGrid } from "./dose.js";
import { Roi } from "./rois.js";
import { Volume } from "./volume.js";

const AT_ONCE = 3;

async function get(address) {
  const answer = await fetch(address, { credentials: "same-origin" });
  if (answer.status === 404) throw new Error("these data changed meanwhile: reload the page");
  if (!answer.ok) throw new Error(`a part could not be loaded (status ${answer.status})`);
  return answer;
}

const bytes = async (address) => (await get(address)).arrayBuffer();

export class Pack {
  constructor(base) {
    this.base = base;
    this.grids = new Map();
  }

  async open() {
    this.meta = await (await get(`${this.base}meta.json`)).json();
    this.frame = this.meta.frame;
    this.doses = this.meta.doses;
    this.volume = this.meta.image ? new Volume(this.meta.image) : null;
    return this;
  }

  // The slice that is seen first.
  async loadFirstImage() {
    const first = this.chunkAt(this.meta.start_mm[2]);
    if (first) await this.loadChunk(first);
  }

  chunkAt(z) {
    if (!this.volume) return null;
    const index = this.volume.axes[2].nearest(z);
    return this.volume.chunks.find(([low, high]) => low <= index && index < high);
  }

  async loadChunk([low, high, name]) {
    this.volume.fill(low, high, await bytes(this.base + name));
  }

  async loadRois() {
    const points = new Float32Array(await bytes(`${this.base}contours`));
    this.rois = this.meta.rois.map((entry) => new Roi(entry, points));
  }

  dose(id) {
    if (!this.grids.has(id)) {
      const entry = this.doses.find((dose) => dose.id === id);
      this.grids.set(id, bytes(this.base + entry.file).then((buffer) => new DoseGrid(entry, buffer)));
    }
    return this.grids.get(id);
  }

  // Everything else, the nearest slices first, a few at a time.
  async loadImages(tell) {
    if (!this.volume) return;
    const middle = this.volume.axes[2].nearest(this.meta.start_mm[2]);
    const rest = this.volume.chunks.filter(([low]) => !this.volume.here[low]);
    rest.sort((a, b) => Math.abs((a[0] + a[1]) / 2 - middle) - Math.abs((b[0] + b[1]) / 2 - middle));
    const next = async () => {
      for (let chunk = rest.shift(); chunk; chunk = rest.shift()) {
        await this.loadChunk(chunk);
        tell();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }
}
