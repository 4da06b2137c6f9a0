// What tests and benchmarks ask: the numbers behind the pictures.
import { keptIsolines } from "./isolines.js";

export function offerHooks(app) {
  window.rtpacsViewer = {
    app,
    probe: (x, y, z) => app.status.probe([x, y, z]),
    // Vertices of an isodose in a pane, in patient mm and in screen pixels.
    isodose: (pane, gy) => {
      const own = app.panes.find((one) => one.spec.name === pane);
      const plane = app.grid.plane(own.spec, own.at);
      return keptIsolines(plane, gy).map((line) => {
        const points = [];
        for (let i = 0; i < line.length; i += 2) points.push({ mm: [line[i], line[i + 1]], px: own.place(line[i], line[i + 1]) });
        return points;
      });
    },
    // Milliseconds that each pane takes for a new slice, medians.
    bench: (rounds = 15) => Object.fromEntries(app.panes.map((pane) => [pane.spec.name, bench(app, pane, rounds)])),
    marks: () => Object.fromEntries(performance.getEntriesByType("mark").map((mark) => [mark.name, mark.startTime])),
  };
}

function bench(app, pane, rounds) {
  const times = [];
  const before = app.state.position;
  for (let round = 0; round < rounds; round++) {
    app.step(pane.spec.n, round % 2 ? 1 : 2);
    const start = performance.now();
    pane.draw();
    // Reading a pixel waits until the picture is really there.
    pane.context.getImageData(0, 0, 1, 1);
    times.push(performance.now() - start);
  }
  app.state.position = before;
  app.redraw();
  return times.sort((a, b) => a - b)[rounds >> 1];
}
