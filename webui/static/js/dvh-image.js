// The plot as a picture with its title, legend and source, ready for a report.
import { readable, token } from "./colors.js";

const MARGIN = 16;
const LINE = 18;
const COLUMN = 190;

function legendEntries(data, state) {
  const ours = data.curves.filter((curve) => curve.source === "rtpacs");
  return ours.filter((curve) => state.shown.has(curve.number));
}

// Warnings go where the curves go.
function noteLines(data, entries, words) {
  const warned = entries.flatMap((curve) => curve.warnings.map((text) => `${curve.name}: ${text}`));
  return [`${words.source}, ${data.notes[0]}`, ...data.notes.slice(1), ...warned];
}

function drawLegend(context, entries, width, top) {
  const columns = Math.max(1, Math.floor((width - 2 * MARGIN) / COLUMN));
  entries.forEach((curve, place) => {
    const x = MARGIN + (place % columns) * COLUMN;
    const y = top + Math.floor(place / columns) * LINE;
    context.fillStyle = readable(curve.color, token("--surface"));
    context.fillRect(x, y + 3, 10, 10);
    context.fillStyle = token("--text");
    context.fillText(curve.name, x + 16, y + 12, COLUMN - 24);
  });
  return Math.ceil(entries.length / columns) * LINE;
}

export function makeImage(plot, data, state, words) {
  const picture = plot.chart.ctx.canvas;
  const scale = window.devicePixelRatio || 1;
  const width = picture.width / scale + 2 * MARGIN;
  const entries = legendEntries(data, state);
  const rows = Math.ceil(entries.length / Math.max(1, Math.floor((width - 2 * MARGIN) / COLUMN)));
  const notes = noteLines(data, entries, words);
  const height = picture.height / scale + rows * LINE + 4 * MARGIN + notes.length * LINE;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = token("--surface");
  context.fillRect(0, 0, width, height);
  context.fillStyle = token("--text");
  context.font = "600 14px system-ui, sans-serif";
  context.fillText(words.title, MARGIN, MARGIN + 8);
  context.drawImage(picture, MARGIN, 2 * MARGIN, picture.width / scale, picture.height / scale);
  context.font = "12px system-ui, sans-serif";
  const top = 2 * MARGIN + picture.height / scale + 6;
  const below = top + drawLegend(context, entries, width, top);
  context.fillStyle = token("--muted");
  const dashes = data.curves.some((curve) => curve.source === "TPS") && state.tps ? " Dashed: TPS." : "";
  notes[0] += `${dashes} Not for treatment decisions.`;
  notes.forEach((line, place) => context.fillText(line, MARGIN, below + (place + 1) * LINE, width - 2 * MARGIN));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
