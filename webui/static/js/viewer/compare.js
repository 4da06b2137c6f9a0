// A second plan or dose over the first: same slice, dashed isodoses, differences, both DVHs.
import { loadCurves } from "./dvh.js";
import { Pack } from "./pack.js";

const POLL_MS = 800;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function readyView(address, tell) {
  for (;;) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`it could not be opened (status ${answer.status})`);
    const view = await answer.json();
    if (view.pack.ready) return view;
    tell();
    await pause(POLL_MS);
  }
}

export class Comparison {
  constructor(dialog, app) {
    Object.assign(this, { dialog, app, form: dialog.querySelector("form"), select: dialog.querySelector("select"), note: dialog.querySelector("[role=status]") });
    const usable = app.pack.doses.filter((dose) => dose.file);
    const own = (usable.length > 1 ? usable : []).map((dose) => [`dose ${dose.id}`, `Dose of this plan: ${dose.label}`]);
    const others = app.view.others.map((other) => [`view ${other.url}`, other.label]);
    for (const [value, text] of [...others, ...own]) this.select.add(new Option(text, value));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.submitter?.value === "compare") this.start(this.select.value);
      else dialog.close();
    });
    dialog.querySelector("[data-stop]").addEventListener("click", () => this.stop());
    dialog.querySelector("[data-difference]").addEventListener("change", (event) => this.setDifference(event.target.checked));
    dialog.querySelector("[data-range]").addEventListener("change", (event) => {
      app.state.differenceGy = Math.max(Number(event.target.value) || 3, 0.01);
      app.showCompared();
      app.redraw();
    });
  }

  ask() {
    const { state } = this.app;
    this.dialog.querySelector("[data-stop]").disabled = !state.compare;
    this.dialog.querySelector("[data-difference]").checked = state.difference;
    this.dialog.querySelector("[value=compare]").disabled = !this.select.options.length;
    if (!this.select.options.length) this.note.textContent = "This patient has no other plan, and the plan no other dose.";
    this.dialog.showModal();
  }

  // `key` is "dose <id>" of the same pack or "view <address>" of another subject.
  async start(key) {
    try {
      this.note.textContent = "Loading…";
      const found = key.startsWith("dose ") ? await this.ownDose(key.slice(5)) : await this.otherPlan(key.slice(5));
      this.app.state.compare = { key, ...found };
      this.note.textContent = "";
      this.dialog.close();
      this.refresh();
    } catch (error) {
      this.note.textContent = `Not compared: ${error.message}.`;
      this.app.notice(`Not compared: ${error.message}.`);
    }
  }

  async ownDose(id) {
    const grid = await this.app.pack.dose(id);
    return { grid, name: grid.label, curves: null };
  }

  async otherPlan(address) {
    const view = await readyView(address, () => (this.note.textContent = "Its data are being prepared…"));
    const pack = await new Pack(view.pack.base).open();
    const { frame } = this.app.pack;
    if (!frame || pack.frame !== frame) throw new Error("it lies in another frame of reference");
    const dose = pack.doses.find((one) => one.file);
    if (!dose) throw new Error("it has no dose to show");
    const [grid, curves] = await Promise.all([pack.dose(dose.id), loadCurves(view.plot_url)]);
    if (this.app.grid && grid.units !== this.app.grid.units) throw new Error("its dose has other units");
    return { grid, name: `${view.label}, ${dose.label}`, curves };
  }

  stop() {
    this.app.state.compare = null;
    this.app.state.difference = false;
    this.dialog.close();
    this.refresh();
  }

  setDifference(on) {
    this.app.state.difference = on;
    this.app.showCompared();
    this.app.redraw();
    this.app.remember();
  }

  refresh() {
    const { app } = this;
    app.toolbar.refresh();
    app.showCompared();
    app.dvh.set(app.curves, app.state.compare?.curves ?? null);
    app.redraw();
    app.remember();
  }
}
