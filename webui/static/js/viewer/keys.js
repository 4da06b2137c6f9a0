// Keys of the viewer; none deletes or sends anything. The sheet is made from this table.
export const KEYS = [
  ["ArrowUp", "↑ ↓", "next or previous slice", (app) => app.step(app.pane.spec.n, 1)],
  ["ArrowDown", "", "", (app) => app.step(app.pane.spec.n, -1)],
  ["PageUp", "PgUp PgDn", "ten slices", (app) => app.step(app.pane.spec.n, 10)],
  ["PageDown", "", "", (app) => app.step(app.pane.spec.n, -10)],
  ["Home", "Home End", "first or last slice", (app) => app.step(app.pane.spec.n, -Infinity)],
  ["End", "", "", (app) => app.step(app.pane.spec.n, Infinity)],
  ["ArrowLeft", "← →", "centre of the previous or next structure", (app) => app.nextStructure(-1)],
  ["ArrowRight", "", "", (app) => app.nextStructure(1)],
  ["1", "1 – 4", "window presets", (app) => app.preset(0)],
  ["2", "", "", (app) => app.preset(1)],
  ["3", "", "", (app) => app.preset(2)],
  ["4", "", "", (app) => app.preset(3)],
  ["h", "h", "go to the highest dose", (app) => app.goToMaximum()],
  ["o", "o", "go to the isocentre", (app) => app.goToIsocentre()],
  ["d", "d", "dose wash", (app) => app.flip("wash")],
  ["i", "i", "isodose lines", (app) => app.flip("lines")],
  ["s", "s", "structures", (app) => app.flip("structures")],
  ["x", "x", "crosshair", (app) => app.flip("crosshair")],
  ["b", "b", "isocentres of the beams", (app) => app.flip("isocentres")],
  ["g", "g", "outlines of the fields", (app) => app.flip("fields")],
  ["v", "v", "invert grey levels", (app) => app.invert()],
  ["m", "m", "ruler and dose profile", (app) => app.setTool(app.state.tool === "ruler" ? "cross" : "ruler")],
  ["c", "c", "compare with another plan or dose", (app) => app.askCompare()],
  ["l", "l", "layout: which pane is large", (app) => app.nextLayout()],
  ["Tab", "Tab", "from pane to pane and control to control", null],
  ["+", "+ −", "zoom", (app) => app.pane.zoom(1.2)],
  ["-", "", "", (app) => app.pane.zoom(1 / 1.2)],
  ["r", "r", "reset zoom, window and tools", (app) => app.reset()],
  ["[", "[ ]", "strength of the dose wash", (app) => app.setOpacity(app.state.opacity - 0.05)],
  ["]", "", "", (app) => app.setOpacity(app.state.opacity + 0.05)],
  ["p", "p", "save a picture", (app) => app.snapshot()],
  ["f", "f", "full screen", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen())],
  ["/", "/", "find a structure", (app) => app.list.filter.focus()],
  ["?", "?", "the sheet of keys", (app) => app.openSheet()],
];
const MOUSE = [
  ["wheel", "slice"],
  ["Ctrl + wheel", "zoom"],
  ["drag", "move the crosshair, or draw the ruler"],
  ["right drag", "window: sideways width, up and down centre"],
  ["Shift or middle drag", "move the picture"],
  ["double click", "pane large, and back"],
  ["Alt + click on a structure", "this one alone"],
];

const isTyping = (target) => target.closest("input:not([type=checkbox]):not([type=range]), textarea, select") !== null;

export function wireKeys(app) {
  const actions = new Map(KEYS.filter(([, , , act]) => act).map(([key, , , act]) => [key, act]));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") leave(event);
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const key = event.key === "=" ? "+" : event.key;
    const isArrow = key.startsWith("Arrow") || key === "Home" || key === "End";
    if (isArrow && event.target.closest("[role=tablist], input[type=range]")) return;
    const act = actions.get(key.length === 1 ? key.toLowerCase() : key);
    if (!act) return;
    event.preventDefault();
    act(app);
  });
}

// Out of a field. A search that the browser empties by itself, without a word, would stay applied.
function leave(event) {
  if (event.target.type === "search") {
    event.preventDefault();
    event.target.value = "";
    event.target.dispatchEvent(new Event("input"));
  }
  event.target.blur();
}

export function fillSheet(table) {
  const rows = [...KEYS.filter(([, shown]) => shown).map(([, shown, text]) => [shown, text]), ...MOUSE];
  for (const [keys, text] of rows) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = keys;
    row.append(head);
    row.insertCell().textContent = text;
  }
}
