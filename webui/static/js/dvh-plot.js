// The plot itself: uPlot with our curves solid and the TPS's dashed in the same colour.
import { readable, token } from "./colors.js";

const HEIGHT = 430;
const FONT = "12px system-ui, sans-serif";
const NEAR_PX = 24;

export class DvhPlot {
  constructor(root, data, state, legend) {
    this.root = root;
    this.data = data;
    this.state = state;
    this.legend = legend;
    this.drawnUnit = state.unit;
    this.make();
    new ResizeObserver(() => this.chart.setSize(this.size())).observe(root);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.make());
    root.addEventListener("keydown", (event) => this.onKey(event));
  }

  size() {
    return { width: Math.max(this.root.clientWidth - 12, 260), height: HEIGHT };
  }

  visible(curve) {
    const wanted = this.state.shown.has(curve.number) && curve[this.state.unit] !== null;
    return wanted && (curve.source === "rtpacs" || this.state.tps);
  }

  columns() {
    const empty = this.data.dose.map(() => null);
    return [this.data.dose, ...this.data.curves.map((curve) => curve[this.state.unit] ?? empty)];
  }

  make() {
    this.chart?.destroy();
    this.chart = new window.uPlot(this.options(), this.columns(), this.root);
  }

  options() {
    const ground = token("--surface");
    const axis = { stroke: token("--muted"), font: FONT, labelFont: FONT, labelSize: 22, grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1, size: 5 } };
    const volume = this.state.unit === "percent" ? "Volume [%]" : "Volume [cm³]";
    return {
      ...this.size(),
      legend: { show: false },
      scales: { x: { time: false, range: (_, low, high) => this.doseRange(low, high) }, y: { range: (_, low, high) => this.volumeRange(high) } },
      axes: [
        { ...axis, label: `Dose [${this.data.dose_unit}]`, size: 32 },
        { ...axis, label: volume, size: 52 },
      ],
      cursor: { drag: { x: true, y: true, uni: 24 }, focus: { prox: NEAR_PX }, points: { size: 6 } },
      focus: { alpha: 0.45 },
      series: [{}, ...this.data.curves.map((curve) => this.series(curve, ground))],
      hooks: {
        setCursor: [(chart) => this.legend.read(chart.cursor.left < 0 ? null : chart.cursor.idx)],
        setSeries: [(_, index) => this.legend.highlight(this.data.curves[index - 1]?.number)],
      },
    };
  }

  series(curve, ground) {
    const ours = curve.source === "rtpacs";
    return {
      label: curve.name,
      stroke: readable(curve.color, ground),
      width: ours ? 1.75 : 1.4,
      dash: ours ? undefined : [6, 5],
      points: { show: false },
      show: this.visible(curve),
    };
  }

  // The whole range ends just above the last visible curve; a zoom is taken as it is.
  doseRange(low, high) {
    const dose = this.data.dose;
    if (low !== dose[0] || high !== dose[dose.length - 1]) return [low, high];
    const visible = this.data.curves.filter((curve) => this.visible(curve));
    const shown = visible.length ? visible : this.data.curves.filter((curve) => curve[this.state.unit] !== null);
    const ends = shown.map((curve) => curve[this.state.unit].findLastIndex((value) => value > 0));
    const last = Math.min(Math.max(0, ...ends) + 1, dose.length - 1);
    this.whole = [0, Math.max(dose[last] * 1.02, dose[1])];
    return this.whole;
  }

  volumeRange(high) {
    return [0, this.state.unit === "percent" ? 102 : Math.max(high ?? 1, 1e-3) * 1.03];
  }

  zoomed() {
    const { min, max } = this.chart.scales.x;
    return min !== this.whole[0] || max !== this.whole[1];
  }

  refresh() {
    if (this.drawnUnit !== this.state.unit) {
      this.drawnUnit = this.state.unit;
      this.make();
      return;
    }
    this.chart.batch(() => {
      this.data.curves.forEach((curve, place) => {
        const show = this.visible(curve);
        if (this.chart.series[place + 1].show !== show) this.chart.setSeries(place + 1, { show });
      });
    });
    if (!this.zoomed()) this.reset();
  }

  reset() {
    this.chart.setData(this.columns(), true);
  }

  onKey(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const last = this.data.dose.length - 1;
    const step = way * (event.shiftKey ? 10 : 1);
    const index = Math.min(Math.max((this.chart.cursor.idx ?? 0) + step, 0), last);
    this.chart.setCursor({ left: this.chart.valToPos(this.data.dose[index], "x"), top: 10 });
  }
}
