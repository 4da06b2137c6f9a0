// How axes of the plots look on the dark page.
const FONT = "11px system-ui, sans-serif";
export const AXIS = { stroke: "#93a4b5", font: FONT, labelFont: FONT, labelSize: 16, grid: { stroke: "#222c37", width: 1 }, ticks: { stroke: "#2d3946", width: 1, size: 4 } };
