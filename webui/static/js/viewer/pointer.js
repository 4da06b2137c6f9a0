// What mouse, pen and wheel do in a pane.
const ZOOM = 1.15;
const WIDTH_PER_PX = 2;

export function wire(pane) {
  const { app, root } = pane;
  let drag = null;
  const spot = (event) => {
    const box = root.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  root.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) pane.zoom(event.deltaY < 0 ? ZOOM : 1 / ZOOM, ...spot(event));
    else app.step(pane.spec.n, event.deltaY > 0 ? -1 : 1);
  }, { passive: false });
  root.addEventListener("contextmenu", (event) => event.preventDefault());
  root.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, a")) return;
    app.focus(pane);
    const [x, y] = spot(event);
    drag = { kind: kindOf(event, app), x, y };
    root.setPointerCapture(event.pointerId);
    begin(drag, pane, x, y);
    if (drag.kind === "pan") event.preventDefault();
  });
  root.addEventListener("pointermove", (event) => {
    const [x, y] = spot(event);
    if (drag) {
      move(drag, pane, x - drag.x, y - drag.y, x, y);
      Object.assign(drag, { x, y });
    }
    app.hover(pane, pane.position(x, y));
  });
  const stop = () => {
    if (drag?.kind === "ruler") app.rulerDrawn();
    drag = null;
  };
  root.addEventListener("pointerup", stop);
  root.addEventListener("pointercancel", stop);
  root.addEventListener("pointerleave", () => app.hover(null));
  root.addEventListener("dblclick", (event) => {
    if (!event.target.closest("button")) app.maximise(pane);
  });
}

function kindOf(event, app) {
  if (event.button === 2) return "window";
  if (event.button === 1 || event.shiftKey) return "pan";
  return app.state.tool === "ruler" ? "ruler" : "cross";
}

function begin(drag, pane, x, y) {
  const position = pane.position(x, y);
  if (drag.kind === "cross") pane.app.moveTo(position, pane);
  if (drag.kind === "ruler") pane.app.state.ruler = { pane: pane.spec.name, a: position, b: position };
}

function move(drag, pane, dx, dy, x, y) {
  const { app } = pane;
  if (drag.kind === "pan") pane.pan(dx, dy);
  else if (drag.kind === "cross") app.moveTo(pane.position(x, y), pane);
  else if (drag.kind === "window") {
    const { center, width } = app.state.window;
    const step = Math.max(width / 400, 1e-6) * WIDTH_PER_PX;
    app.setWindow(center + dy * step, Math.max(width + dx * step, step));
  } else {
    app.state.ruler.b = pane.position(x, y);
    pane.drawMarks();
  }
}
