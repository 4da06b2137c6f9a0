// Colours of isodoses: one order for all, told apart by the colour-blind too (Okabe and Ito 2008).
export const LEVEL_COLORS = ["#8f86f2", "#3f8fdd", "#56b4e9", "#00b386", "#f0e442", "#f2a512", "#ee6a1f", "#e87bb8"];
export const CURSOR_COLOR = "#ffffff";
export const HALO = "rgba(0, 0, 0, 0.62)";

export const rgb = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));

function luminance(hex) {
  const linear = rgb(hex).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

// The structure's own colour, lightened only where it would vanish on black.
export function onBlack(hex) {
  let [made, parts] = [hex, rgb(hex)];
  for (let step = 0; step < 12 && luminance(made) < 0.1; step++) {
    parts = parts.map((part) => Math.round(part + (255 - part) * 0.15));
    made = `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  }
  return made;
}

// The colour of each level in ascending order: the highest ones keep the warm end.
export function colorsFor(count) {
  if (count >= LEVEL_COLORS.length) {
    return Array.from({ length: count }, (_, place) => LEVEL_COLORS[Math.max(0, place - count + LEVEL_COLORS.length)]);
  }
  const step = (LEVEL_COLORS.length - 1) / Math.max(count - 1, 1);
  return Array.from({ length: count }, (_, place) => LEVEL_COLORS[count === 1 ? 6 : Math.round(place * step)]);
}
