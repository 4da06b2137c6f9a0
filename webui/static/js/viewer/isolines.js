// Marching squares: where a plane of values reaches a level, as joined lines in mm.
// Lines run with the higher values to their right, so that each crossed edge is left by one cell
// and entered by its neighbour. Cells with a missing corner have no line.
let next = new Int32Array(0);
let left = new Uint8Array(0);

function prepare(size) {
  if (next.length < size) {
    next = new Int32Array(size);
    left = new Uint8Array(size);
  }
  next.fill(-1, 0, size);
  left.fill(0, 0, size);
}

// Edge numbers: 2k is between node k and the next one in its row, 2k + 1 to the one a row on.
function collect(values, width, height, level) {
  const entries = [];
  const join = (from, to) => {
    next[from] = to;
    left[to] = 1;
    entries.push(from);
  };
  for (let row = 0; row + 1 < height; row++) {
    for (let column = 0; column + 1 < width; column++) {
      const k = row * width + column;
      const a = values[k];
      const b = values[k + 1];
      const c = values[k + width + 1];
      const d = values[k + width];
      const code = (a >= level) | ((b >= level) << 1) | ((c >= level) << 2) | ((d >= level) << 3);
      if (code === 0 || code === 15 || Number.isNaN(a + b + c + d)) continue;
      cell(code, [2 * k, 2 * (k + 1) + 1, 2 * (k + width), 2 * k + 1], (a + b + c + d) / 4 >= level, join);
    }
  }
  return entries;
}

function cell(code, [top, right, bottom, side], middle, join) {
  switch (code) {
    case 1: return join(top, side);
    case 2: return join(right, top);
    case 3: return join(right, side);
    case 4: return join(bottom, right);
    case 6: return join(bottom, top);
    case 7: return join(bottom, side);
    case 8: return join(side, bottom);
    case 9: return join(top, bottom);
    case 11: return join(right, bottom);
    case 12: return join(side, right);
    case 13: return join(top, right);
    case 14: return join(side, top);
    case 5:
      join(top, middle ? right : side);
      return join(bottom, middle ? side : right);
    default:
      join(side, middle ? top : bottom);
      return join(right, middle ? bottom : top);
  }
}

// Lines as arrays u, v, u, v, … in mm; a closed one ends where it begins.
export function isolines({ u, v, values }, level) {
  const width = u.count;
  if (width < 2 || v.count < 2) return [];
  prepare(2 * values.length);
  const entries = collect(values, width, v.count, level);
  const point = (edge, line) => {
    const k = edge >> 1;
    const [row, column] = [(k / width) | 0, k % width];
    const other = edge & 1 ? k + width : k + 1;
    const share = (level - values[k]) / (values[other] - values[k]);
    if (edge & 1) line.push(u.mm[column], v.mm[row] + share * (v.mm[row + 1] - v.mm[row]));
    else line.push(u.mm[column] + share * (u.mm[column + 1] - u.mm[column]), v.mm[row]);
  };
  const lines = [];
  const follow = (start) => {
    const line = [];
    let edge = start;
    while (next[edge] >= 0) {
      point(edge, line);
      const after = next[edge];
      next[edge] = -1;
      edge = after;
    }
    point(edge, line);
    lines.push(line);
  };
  for (const edge of entries) if (!left[edge]) follow(edge);
  for (const edge of entries) if (next[edge] >= 0) follow(edge);
  return lines;
}

// The same, kept with the plane: levels are looked at again while one pans and zooms.
export function keptIsolines(plane, level) {
  let lines = plane.lines.get(level);
  if (!lines) {
    if (plane.lines.size > 32) plane.lines.clear();
    lines = isolines(plane, level);
    plane.lines.set(level, lines);
  }
  return lines;
}
