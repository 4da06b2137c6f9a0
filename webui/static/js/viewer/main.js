// The viewer's page: loads in the order in which things are seen, and joins the parts.
import { App } from "./app.js";
import { PANES } from "./axis.js";
import { Comparison, readyView } from "./compare.js";
import { Dvh, loadCurves } from "./dvh.js";
import { offerHooks } from "./hooks.js";
import { fillSheet, wireKeys } from "./keys.js";
import { colored, defaultLevels, LevelEditor } from "./levels.js";
import { readLink } from "./link.js";
import { Pack } from "./pack.js";
import { Pane } from "./pane.js";
import { fillPlan, ProfilePlot } from "./plan.js";
import { wire } from "./pointer.js";
import { Status } from "./status.js";
import { StructureList } from "./structures.js";
import { Tabs, Toolbar } from "./toolbar.js";

const root = document.getElementById("viewer");
const find = (name) => root.querySelector(name);
const loading = find(".loading");
const REDRAW_MS = 400; // how often sagittal and coronal planes follow the slices that arrive
let shownAt = 0;

function build(view, pack, link) {
  const app = new App(view, pack);
  app.stage = find(".stage");
  app.list = new StructureList(find(".structures"), app);
  app.levels = new LevelEditor(find(".levels"), app);
  app.status = new Status(find(".status"), app);
  app.toolbar = new Toolbar(find(".toolbar"), app);
  app.dvh = new Dvh(find("#tab-dvh"), app);
  app.profile = new ProfilePlot(find("#tab-profile"), app);
  app.tabs = new Tabs(find(".tabs"), (name) => {
    if (name === "profile") app.profile.draw();
  });
  app.paneList = Object.values(PANES).map((spec) => new Pane(find(`[data-pane=${spec.name}]`), spec, app));
  app.paneList.forEach(wire);
  for (const pane of app.paneList) pane.root.addEventListener("focus", () => app.focus(pane));
  app.openSheet = () => document.getElementById("viewer-keys").showModal();
  app.notice = (text) => addNotice(text);
  app.showCompared = () => showCompared(app);
  app.chooseDose = (id) => chooseDose(app, id);
  app.state.position = app.state.position.map((value, axis) => app.snap(axis, value));
  Object.assign(app.state, { wash: link.wash, lines: link.lines, opacity: link.opacity ?? app.defaultOpacity });
  app.setLayout(app.paneList.some((pane) => pane.spec.name === link.layout) ? link.layout : "axial");
  fillPlan(find("#tab-plan"), view, app);
  fillSheet(document.querySelector("#viewer-keys table"));
  wireKeys(app);
  return app;
}

function addNotice(text) {
  const item = document.createElement("li");
  item.textContent = text;
  find(".notices ul").append(item);
  find(".notices").hidden = false;
  const count = find(".notices ul").children.length;
  find(".notices summary").textContent = `${count} remark${count === 1 ? "" : "s"}`;
}

function showCompared(app) {
  find(".compared").hidden = !app.state.compare;
  find(".compared").textContent = app.compared();
}

async function chooseDose(app, id, levels = null) {
  app.grid = await app.pack.dose(id);
  app.state.doseId = id;
  if (app.grid.units === "RELATIVE") app.state.reference = null;
  if (app.grid.note) addNotice(`Dose ${app.grid.label}: ${app.grid.note}.`);
  const given = levels?.length ? colored(levels.map((gy) => ({ gy, on: true }))) : null;
  if (given) app.state.levelsChanged = true;
  if (!app.state.levelsChanged || given) app.state.levels = given ?? defaultLevels(app.state.reference, app.grid.max);
  app.levels.offer(app.grid.units === "RELATIVE" ? [] : app.view.levels);
  app.levels.show();
  badges(app);
  app.toolbar.refresh();
  app.redraw();
  app.status.tell(app.state.position);
}

function badges(app) {
  const resampled = app.volume?.resampled || app.grid?.resampled;
  find("[data-badge=resampled]").hidden = !resampled;
  const registered = app.pack.meta.image_registered || app.grid?.registered || app.pack.meta.rois.some((roi) => roi.registered);
  find("[data-badge=registered]").hidden = !registered;
}

function showProgress(app, last = false) {
  const badge = find("[data-badge=incomplete]");
  const { volume } = app;
  badge.hidden = !volume || volume.complete;
  if (!badge.hidden) badge.textContent = `Incomplete volume: ${volume.here.reduce((sum, one) => sum + one, 0)} of ${volume.nz} slices`;
  const due = last || performance.now() - shownAt > REDRAW_MS;
  if (due) shownAt = performance.now();
  app.redraw(app.panes.filter((pane) => (due && pane.spec.n !== 2) || !pane.shown));
}

function firstShown(app, link) {
  if (link.shown) {
    app.state.shownChanged = true;
    return link.shown;
  }
  return app.rois.filter((roi) => roi.drawn && app.facts.get(roi.number)?.drawn !== false).map((roi) => roi.number);
}

function showFirst(app, link) {
  const preset = link.window ?? app.windows[0];
  app.toolbar.fill();
  if (preset) app.setWindow(preset.center, preset.width);
  for (const pane of app.panes) pane.draw();
  mark("first image");
}

function showRois(app, link) {
  app.rois = app.pack.rois;
  app.zStep = Math.min(...app.rois.filter((roi) => roi.planes.length > 1).map((roi) => roi.usual), 5);
  app.state.shown = new Set(firstShown(app, link));
  app.list.fill(app.rois, app.facts);
  app.redraw();
}

// The dose to begin with is on its way; null where there is none to show.
async function firstDose(app, link) {
  const usable = app.pack.doses.filter((dose) => dose.file);
  app.defaultDose = usable[0]?.id ?? null;
  const chosen = usable.find((dose) => dose.id === link.dose) ?? usable[0];
  if (chosen) await app.pack.dose(chosen.id);
  return chosen?.id ?? null;
}

async function showDose(app, id, link) {
  for (const dose of app.pack.doses) if (dose.refused) addNotice(`Dose ${dose.label} is not shown: ${dose.refused}.`);
  if (id) await chooseDose(app, id, link.levels);
  else app.levels.offer([]);
}

function mark(name) {
  performance.mark(name);
}

async function start() {
  const link = readLink(location.search);
  let view = JSON.parse(root.dataset.view);
  if (!view.pack.ready) {
    loading.hidden = false;
    view = await readyView(view.view_url, () => {});
    loading.hidden = true;
  }
  const pack = await new Pack(view.pack.base).open();
  if (link.position) pack.meta.start_mm = link.position;
  // All that is needed is asked for at once, in the order in which it is seen.
  const first = pack.loadFirstImage();
  const app = build(view, pack, link);
  const rois = pack.loadRois();
  const dose = firstDose(app, link);
  const curves = loadCurves(view.plot_url);
  const images = Promise.all([first, rois, dose]).then(() => pack.loadImages(() => showProgress(app)));
  await first.then(() => showFirst(app, link));
  [...pack.meta.notes, ...view.findings].forEach(addNotice);
  if (pack.meta.plan_refused) addNotice(`Isocentres and fields of the plan are not shown: ${pack.meta.plan_refused}.`);
  await Promise.all([rois.then(() => showRois(app, link)), dose.then((id) => showDose(app, id, link))]);
  for (const pane of app.panes) pane.draw();
  mark("dose and contours");
  app.curves = await curves;
  app.dvh.set(app.curves);
  app.toolbar.fill();
  const comparison = new Comparison(document.getElementById("compare"), app);
  app.comparison = comparison;
  app.askCompare = () => comparison.ask();
  await images;
  mark("whole volume");
  showProgress(app, true);
  if (!link.window && app.volume && app.volume.modality !== "CT") app.preset(0);
  if (link.ruler.length === 6) {
    app.state.ruler = { pane: link.rulerPane ?? "axial", a: link.ruler.slice(0, 3), b: link.ruler.slice(3) };
    app.profile.draw();
  }
  app.state.difference = link.difference;
  if (link.compare) await comparison.start(link.compare);
  badges(app);
  offerHooks(app);
  app.ready = true;
  app.status.tell(app.state.position);
  app.redraw();
  root.dataset.ready = "yes";
}

start().catch((error) => {
  loading.hidden = false;
  loading.classList.add("bad");
  loading.textContent = `The viewer cannot show this: ${error.message}.`;
  root.dataset.ready = "failed";
});
