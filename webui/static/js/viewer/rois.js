// Structures: exact where they were drawn, cut exactly in the other planes, and asked for points.
const CONTIGUOUS_MM = 0.01;

export class Roi {
  constructor(entry, points) {
    Object.assign(this, entry);
    this.points = points;
    for (const plane of this.planes) plane.boxes = plane.rings.map(([start, count]) => box(points, start, count));
    this.drawn = this.planes.length > 0 || this.lines.length > 0;
    this.usual = usualStep(this.planes);
  }

  // The rings at one position of the structure's own axis.
  planeAt(at, tolerance) {
    let best = null;
    let least = tolerance + 1e-3;
    for (const plane of this.planes) {
      const distance = Math.abs(plane.at_mm - at);
      if (distance < least) [best, least] = [plane, distance];
    }
    return best;
  }

  holds(position) {
    const along = position[this.axis];
    const plane = this.planes.find((one) => one.low_mm <= along && along < one.high_mm);
    if (!plane) return false;
    const [u, v] = [0, 1, 2].filter((axis) => axis !== this.axis);
    const inside = plane.rings.map(([start, count]) => encloses(this.points, start, count, u, v, position[u], position[v]));
    return plane.united ? inside.some(Boolean) : inside.filter(Boolean).length % 2 === 1;
  }

  // Where a plane cuts the structure, as { at, low, high, spans } for each plane of rings.
  cut(axis, at) {
    const other = 3 - axis - this.axis;
    const cuts = [];
    for (const plane of this.planes) {
      const lists = [];
      plane.rings.forEach(([start, count], place) => {
        const [low, high] = plane.boxes[place];
        if (low[axis] <= at && at < high[axis]) lists.push(crossings(this.points, start, count, axis, other, at));
      });
      const spans = plane.united ? united(lists) : paired(lists.flat());
      cuts.push({ at: plane.at_mm, low: plane.low_mm, high: plane.high_mm, spans });
    }
    return cuts;
  }
}

function usualStep(planes) {
  const steps = planes.slice(1).map((plane, place) => plane.at_mm - planes[place].at_mm);
  return steps.length ? steps.sort((a, b) => a - b)[steps.length >> 1] : 1;
}

function box(points, start, count) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 3 * start; i < 3 * (start + count); i += 3) {
    for (let axis = 0; axis < 3; axis++) {
      const value = points[i + axis];
      if (value < low[axis]) low[axis] = value;
      if (value > high[axis]) high[axis] = value;
    }
  }
  return [low, high];
}

function encloses(points, start, count, u, v, x, y) {
  let inside = false;
  let last = 3 * (start + count - 1);
  for (let i = 3 * start; i < 3 * (start + count); i += 3) {
    const [v0, v1] = [points[i + v], points[last + v]];
    if (v0 > y !== v1 > y) {
      const cross = points[i + u] + ((y - v0) / (v1 - v0)) * (points[last + u] - points[i + u]);
      if (x < cross) inside = !inside;
    }
    last = i;
  }
  return inside;
}

function crossings(points, start, count, axis, other, at) {
  const found = [];
  let last = 3 * (start + count - 1);
  for (let i = 3 * start; i < 3 * (start + count); i += 3) {
    const a = points[last + axis];
    const b = points[i + axis];
    if (a <= at !== b <= at) found.push(points[last + other] + ((at - a) / (b - a)) * (points[i + other] - points[last + other]));
    last = i;
  }
  return found;
}

function paired(values) {
  values.sort((a, b) => a - b);
  const spans = [];
  for (let i = 0; i + 1 < values.length; i += 2) if (values[i + 1] > values[i]) spans.push([values[i], values[i + 1]]);
  return spans;
}

function united(lists) {
  const spans = lists.flatMap(paired).sort((a, b) => a[0] - b[0]);
  const merged = [];
  for (const span of spans) {
    const last = merged[merged.length - 1];
    if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
    else merged.push([...span]);
  }
  return merged;
}

// The outline of a cut: calls move(t, r) and line(t, r), with r along the structure's own axis.
// Between neighbours that meet, the ends of spans that answer each other are joined; what begins
// or ends between two planes does so half way, as its volume counts.
export function outline(cuts, segment) {
  const answered = cuts.map((cut) => ({ below: new Set(), above: new Set() }));
  for (let k = 0; k + 1 < cuts.length; k++) {
    if (!meets(cuts[k], cuts[k + 1])) continue;
    for (const [i, j] of partners(cuts[k].spans, cuts[k + 1].spans)) {
      answered[k].above.add(i);
      answered[k + 1].below.add(j);
      for (const end of [0, 1]) segment(cuts[k].spans[i][end], cuts[k].at, cuts[k + 1].spans[j][end], cuts[k + 1].at);
    }
  }
  cuts.forEach((cut, k) => {
    const next = cuts[k + 1];
    const joined = next && meets(cut, next);
    const own = cut.spans.filter((_, i) => !answered[k].above.has(i));
    const theirs = joined ? next.spans.filter((_, j) => !answered[k + 1].below.has(j)) : [];
    sides(own, cut.at, cut.high, segment);
    if (joined) sides(theirs, next.at, next.low, segment);
    ends(own, theirs, cut.high, segment);
    const before = cuts[k - 1];
    if (before && meets(before, cut)) return;
    const first = cut.spans.filter((_, i) => !answered[k].below.has(i));
    sides(first, cut.at, cut.low, segment);
    ends(first, [], cut.low, segment);
  });
}

const meets = (one, other) => Math.abs(one.high - other.low) < CONTIGUOUS_MM;

function partners(one, other) {
  const overlaps = (a, b) => a[0] < b[1] && b[0] < a[1];
  const found = [];
  one.forEach((a, i) => {
    const touched = other.flatMap((b, j) => (overlaps(a, b) ? [j] : []));
    if (touched.length !== 1) return;
    const back = one.filter((c) => overlaps(c, other[touched[0]]));
    if (back.length === 1) found.push([i, touched[0]]);
  });
  return found;
}

function sides(spans, from, to, segment) {
  for (const [low, high] of spans) {
    segment(low, from, low, to);
    segment(high, from, high, to);
  }
}

// At a common border only what lies on one side of it is closed.
function ends(one, other, at, segment) {
  const stops = [...one, ...other].flat().sort((a, b) => a - b);
  const within = (spans, t) => spans.some(([low, high]) => low < t && t < high);
  for (let i = 0; i + 1 < stops.length; i++) {
    const middle = (stops[i] + stops[i + 1]) / 2;
    if (within(one, middle) !== within(other, middle)) segment(stops[i], at, stops[i + 1], at);
  }
}
