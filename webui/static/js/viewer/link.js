// The view in the address: position, dose, levels, structures, window. A link shows the same again.
const numbers = (text) => (text ?? "").split(",").filter((part) => part !== "").map(Number).filter(Number.isFinite);

export function readLink(search) {
  const given = new URLSearchParams(search);
  const at = numbers(given.get("at"));
  const window = numbers(given.get("window"));
  return {
    position: at.length === 3 ? at : null,
    window: window.length === 2 && window[1] > 0 ? { center: window[0], width: window[1] } : null,
    dose: given.get("dose"),
    levels: given.has("levels") ? numbers(given.get("levels")).filter((gy) => gy > 0) : null,
    shown: given.has("show") ? numbers(given.get("show")) : null,
    layout: given.get("layout"),
    wash: given.get("wash") !== "0",
    lines: given.get("lines") !== "0",
    opacity: Number(given.get("opacity")) || null,
    compare: given.get("with"),
    difference: given.get("difference") === "1",
    ruler: numbers(given.get("ruler")),
    rulerPane: given.get("pane"),
  };
}

const short = (value, digits) => Number(value.toFixed(digits)).toString();

export function writeLink(app) {
  const { state } = app;
  const made = new URLSearchParams();
  made.set("at", state.position.map((value) => short(value, 2)).join(","));
  if (state.window) made.set("window", [state.window.center, state.window.width].map((value) => short(value, 1)).join(","));
  if (state.doseId && state.doseId !== app.defaultDose) made.set("dose", state.doseId);
  if (state.levelsChanged) made.set("levels", state.levels.filter((level) => level.on).map((level) => short(level.gy, 3)).join(","));
  if (state.shownChanged) made.set("show", [...state.shown].join(","));
  if (app.layout !== "axial") made.set("layout", app.layout);
  if (!state.wash) made.set("wash", "0");
  if (!state.lines) made.set("lines", "0");
  if (state.opacity !== app.defaultOpacity) made.set("opacity", short(state.opacity, 2));
  if (state.compare) made.set("with", state.compare.key);
  if (state.difference) made.set("difference", "1");
  if (state.ruler) {
    made.set("ruler", [...state.ruler.a, ...state.ruler.b].map((value) => short(value, 2)).join(","));
    made.set("pane", state.ruler.pane);
  }
  history.replaceState(null, "", `${location.pathname}?${made}`);
}
