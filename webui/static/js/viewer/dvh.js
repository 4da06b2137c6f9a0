// The DVH beside the pictures: the same structures, the same colours, read both ways.
import { AXIS } from "./plots.js";

export async function loadCurves(address) {
  if (!address) return null;
  const answer = await fetch(address, { credentials: "same-origin" });
  if (!answer.ok) return null;
  const data = await answer.json();
  data.curves = data.curves.filter((curve) => curve.source === "rtpacs" && curve.percent.length);
  return data;
}

export class Dvh {
  constructor(root, app) {
    Object.assign(this, { root, app, plot: root.querySelector(".dvh-plot"), note: root.querySelector(".dvh-note"), own: null, other: null });
    new ResizeObserver(() => this.chart?.setSize(this.size())).observe(this.plot);
  }

  size() {
    return { width: Math.max(this.plot.clientWidth, 200), height: Math.max(this.plot.clientHeight, 120) };
  }

  set(own, other = null) {
    Object.assign(this, { own, other });
    const none = !own?.curves.length;
    this.note.hidden = !none;
    this.note.textContent = none ? "No DVHs: they need structures and a plan dose in one frame of reference." : "";
    this.make();
  }

  // Both sets of curves on the axis of the first one, or of the longer one.
  series() {
    const sets = [[this.own, []], ...(this.other ? [[this.other, [5, 4]]] : [])];
    return sets.flatMap(([data, dash]) => data.curves.map((curve) => ({ curve, dash, dose: data.dose })));
  }

  make() {
    this.chart?.destroy();
    this.chart = null;
    if (!this.own?.curves.length) return;
    const longest = this.other && this.other.dose.at(-1) > this.own.dose.at(-1) ? this.other : this.own;
    this.dose = longest.dose;
    this.drawn = this.series();
    const columns = this.drawn.map(({ curve, dose }) => this.dose.map((at) => read(curve, dose, at)));
    this.chart = new window.uPlot(this.options(), [this.dose, ...columns], this.plot);
    this.refresh();
  }

  options() {
    const unit = this.own.dose_unit;
    return {
      ...this.size(),
      legend: { show: false },
      scales: { x: { time: false }, y: { range: [0, 102] } },
      axes: [{ ...AXIS, label: `Dose [${unit}]`, size: 28 }, { ...AXIS, label: "Volume [%]", size: 38 }],
      cursor: { drag: { x: true, y: false }, focus: { prox: 20 }, points: { size: 5 } },
      focus: { alpha: 0.4 },
      series: [{}, ...this.drawn.map(({ curve, dash }) => ({ label: curve.name, stroke: this.app.color(curve.number), width: 1.6, dash, points: { show: false }, show: false }))],
      hooks: {
        setCursor: [(chart) => this.cursor(chart)],
        // Also told when a curve is switched on or off, which brings nothing near.
        setSeries: [(_, place, change) => change.focus !== undefined && this.app.bringNear(this.drawn[place - 1]?.curve.number ?? null, "dvh")],
        draw: [(chart) => this.drawLevels(chart)],
      },
    };
  }

  // The dose under the cursor becomes an isodose in the pictures.
  cursor(chart) {
    const isInside = chart.cursor.left >= 0 && chart.cursor.idx != null;
    const at = isInside ? this.dose[chart.cursor.idx] : null;
    this.app.showCursorDose(at);
    this.app.list.read(at, at === null ? null : this.volumesAt(at));
  }

  // Percent of each structure of ours that gets a dose or more.
  volumesAt(at) {
    return new Map(this.own.curves.map((curve) => [curve.number, read(curve, this.own.dose, at)]));
  }

  drawLevels(chart) {
    const { ctx } = chart;
    ctx.save();
    ctx.lineWidth = 2 * (window.devicePixelRatio || 1);
    for (const level of this.app.state.levels) {
      if (!level.on || level.gy > chart.scales.x.max || level.gy < chart.scales.x.min) continue;
      const x = chart.valToPos(level.gy, "x", true);
      ctx.strokeStyle = level.color;
      ctx.beginPath();
      ctx.moveTo(x, chart.bbox.top + chart.bbox.height);
      ctx.lineTo(x, chart.bbox.top + chart.bbox.height - 7);
      ctx.stroke();
    }
    ctx.restore();
  }

  refresh() {
    if (!this.chart) return;
    this.chart.batch(() => {
      this.drawn.forEach(({ curve }, place) => {
        const show = this.app.state.shown.has(curve.number);
        if (this.chart.series[place + 1].show !== show) this.chart.setSeries(place + 1, { show });
      });
    });
    const shown = this.drawn.filter(({ curve }) => this.app.state.shown.has(curve.number));
    const highest = Math.max(0, ...shown.map(({ curve, dose }) => dose[Math.min(curve.percent.length, dose.length - 1)]));
    this.chart.setScale("x", { min: 0, max: (highest || this.dose.at(-1)) * 1.03 });
  }

  highlight(number) {
    if (!this.chart) return;
    this.drawn.forEach(({ curve }, place) => {
      this.chart.series[place + 1].width = curve.number === number ? 3 : 1.6;
    });
    this.chart.redraw(false);
  }
}

function read(curve, dose, at) {
  const step = dose[1] - dose[0];
  const place = at / step;
  const index = Math.floor(place);
  const values = curve.percent;
  const [one, next] = [values[index] ?? 0, values[index + 1] ?? 0];
  return one + (next - one) * (place - index);
}
