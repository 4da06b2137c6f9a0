// Where slices stop along each axis, and the windows that suit a modality.
const CT_WINDOWS = [
  { name: "Soft", center: 40, width: 400 },
  { name: "Lung", center: -500, width: 1500 },
  { name: "Bone", center: 400, width: 1800 },
  { name: "Brain", center: 40, width: 80 },
];
const SAMPLES = 20000;

// Images first; where there are none, contours, and beyond these the frames of the doses.
export function stopsOf(axis, { volume, pack }) {
  const own = volume ? [...volume.axes[axis].mm] : [];
  const half = volume ? Math.max(volume.axes[axis].usual / 2, 0.5) : 0.25;
  const contours = pack.meta.rois.filter((roi) => roi.axis === axis).flatMap((roi) => roi.planes.map((plane) => plane.at_mm));
  const frames = pack.doses.filter((dose) => dose.file).flatMap((dose) => [dose.x_mm, dose.y_mm, dose.z_mm][axis]);
  const stops = own.sort((a, b) => a - b);
  if (axis === 2 || !stops.length) {
    for (const more of [contours, frames]) addFar(stops, more, half);
  }
  if (!stops.length) addFar(stops, pack.meta.rois.flatMap((roi) => (roi.box_mm ? line(roi.box_mm[0][axis], roi.box_mm[1][axis]) : [])), 0.9);
  if (!stops.length) stops.push(pack.meta.start_mm[axis]);
  return stops;
}

const line = (low, high) => Array.from({ length: Math.floor((high - low) / 2) + 1 }, (_, place) => low + 2 * place);

function addFar(stops, more, half) {
  const kept = [...stops];
  for (const value of [...new Set(more)].sort((a, b) => a - b)) {
    if (kept.every((stop) => Math.abs(stop - value) > half + 1e-3)) {
      kept.push(value);
      stops.push(value);
    }
  }
  stops.sort((a, b) => a - b);
}

export function windowsOf(volume) {
  if (!volume) return [];
  if (volume.modality === "CT" && volume.units === "HU") return CT_WINDOWS;
  const own = volume.window ? [{ name: "As sent", center: volume.window[0], width: volume.window[1] }] : [];
  const [low, middle, high, highest] = spread(volume);
  const from = (name, a, b) => ({ name, center: (a + b) / 2, width: Math.max(b - a, 1e-6) });
  if (volume.modality === "PT") return [from("PET", 0, high), from("Low", 0, (middle + high) / 2), from("Whole", 0, highest), ...own];
  return [from("Usual", low, high), from("Soft", low, (middle + high) / 2), from("Whole", low, highest), ...own];
}

// Some percentiles of the values that are here.
function spread(volume) {
  const size = volume.nx * volume.ny;
  const slices = [...volume.here.keys()].filter((k) => volume.here[k]);
  const step = Math.max(1, Math.floor((slices.length * size) / SAMPLES)) | 1;
  const found = [];
  for (const k of slices) {
    for (let i = k % step; i < size; i += step) {
      const stored = volume.values[k * size + i];
      if (!Number.isNaN(stored)) found.push(stored * volume.slope + volume.intercept);
    }
  }
  found.sort((a, b) => a - b);
  const at = (share) => found[Math.min(found.length - 1, Math.floor(share * found.length))] ?? 0;
  return [at(0.02), at(0.6), at(0.99), at(0.9999)];
}
