// Structure colours as the TPS gave them, moved only as far as they need to be seen.
const WANTED_CONTRAST = 2.6;
const STEPS = 12;

const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const linear = (part) => (part <= 10.31 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);

function luminance(rgb) {
  const [red, green, blue] = rgb.map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// Mix towards black on light ground and towards white on dark ground until the line stands out.
export function readable(hex, ground) {
  const start = parse(hex);
  const back = parse(ground);
  const end = luminance(back) > 0.5 ? 0 : 255;
  for (let step = 0; step <= STEPS; step += 1) {
    const mixed = start.map((part) => Math.round(part + ((end - part) * step) / STEPS));
    if (contrast(mixed, back) >= WANTED_CONTRAST) return `rgb(${mixed.join(",")})`;
  }
  return `rgb(${end},${end},${end})`;
}

export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
