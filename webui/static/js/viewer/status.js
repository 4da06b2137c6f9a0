// The line below the pictures: HU, dose and structures at the pointer, and the same in words.
const SPOKEN_MS = 300;

export class Status {
  constructor(root, app) {
    Object.assign(this, { app, line: root.querySelector("output"), spoken: root.querySelector("[aria-live]") });
  }

  // Everything known of one position; numbers as they are, null where there is nothing.
  probe(position) {
    const { app } = this;
    const structures = (app.rois ?? []).filter((roi) => app.state.shown.has(roi.number) && roi.holds(position)).map((roi) => roi.name);
    const other = app.state.compare?.grid?.sample(...position);
    return { image: app.volume?.value(...position) ?? null, dose: app.grid?.sample(...position) ?? null, other: other ?? null, structures };
  }

  words(position) {
    const { app } = this;
    const { image, dose, other, structures } = this.probe(position);
    const parts = [position.map((value, axis) => `${"xyz"[axis]} ${value.toFixed(1)}`).join("  ") + " mm"];
    if (app.volume) parts.push(image === null ? "no image" : `${this.number(image)} ${app.volume.units}`.trim());
    if (app.grid) parts.push(dose === null ? "no dose" : this.dose(dose));
    if (app.state.compare) parts.push(other === null ? "B no dose" : `B ${this.dose(other)}`);
    if (dose !== null && other !== null) parts.push(`A − B ${(dose - other).toFixed(2)} ${app.doseUnit}`);
    parts.push(structures.length ? structures.join(", ") : "no structure");
    return parts;
  }

  dose(value) {
    const { reference } = this.app.state;
    const percent = reference && this.app.doseUnit !== "%" ? ` (${((100 * value) / reference.gy).toFixed(1)} %)` : "";
    return `${value.toFixed(2)} ${this.app.doseUnit}${percent}`;
  }

  number(value) {
    return Number.isInteger(value) ? String(value) : Number(value.toPrecision(5)).toString();
  }

  point(position, pane) {
    if (!position) return this.tell(this.app.state.position);
    const exact = [...position];
    if (pane) exact[pane.spec.n] = pane.at;
    this.line.textContent = this.words(exact).join("   ·   ");
  }

  // At the crosshair, and spoken when it rests: the text alternative of the pictures.
  tell(position) {
    const words = this.words(position);
    this.line.textContent = words.join("   ·   ");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.spoken.textContent = words.join("; ")), SPOKEN_MS);
  }

  say(text) {
    clearTimeout(this.timer);
    this.spoken.textContent = `${text} ${this.words(this.app.state.position).join("; ")}`;
  }
}
