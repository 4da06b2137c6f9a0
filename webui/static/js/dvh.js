// The DVH section of a page: loads the curves, joins plot, legend, table and address.
import { makeImage } from "./dvh-image.js";
import { Legend } from "./dvh-legend.js";
import { DvhPlot } from "./dvh-plot.js";
import { save } from "./save.js";

const section = document.getElementById("dvh");

// The selection lives in the address, so that the view can be linked and reloaded.
function remember(state) {
  const url = new URL(window.location);
  url.searchParams.delete("show");
  url.searchParams.set("show", [...state.shown].join(","));
  if (state.unit === "percent") url.searchParams.delete("unit");
  else url.searchParams.set("unit", state.unit);
  history.replaceState(null, "", url);
  const csv = section.querySelector("[data-csv]");
  csv.search = `?show=${[...state.shown].join(",")}`;
}

// Curves come in percent of their volume, without the zeros behind their end.
function withBothUnits(data) {
  for (const curve of data.curves) {
    const whole = curve.whole_cm3;
    curve.percent = data.dose.map((_, place) => curve.percent[place] ?? 0);
    curve.cm3 = whole === null ? null : curve.percent.map((value) => (value * whole) / 100);
  }
  return data;
}

function wireTools(state, refresh, plot, data) {
  for (const button of section.querySelectorAll("[data-unit]")) {
    button.addEventListener("click", () => {
      state.unit = button.dataset.unit;
      refresh();
    });
  }
  section.querySelector("[data-tps]")?.addEventListener("change", (event) => {
    state.tps = event.target.checked;
    refresh();
  });
  section.querySelector("[data-reset]").addEventListener("click", () => plot.reset());
  section.querySelector("[data-png]").addEventListener("click", async () => {
    save(`${section.dataset.title} DVH.png`, await makeImage(plot, data, state, section.dataset));
  });
}

function wireTable(state, refresh) {
  const boxes = document.querySelectorAll("input[form=curves]");
  for (const box of boxes) {
    box.addEventListener("change", () => {
      state.shown[box.checked ? "add" : "delete"](Number(box.value));
      refresh();
    });
  }
  return () => boxes.forEach((box) => (box.checked = state.shown.has(Number(box.value))));
}

async function start() {
  const answer = await fetch(section.dataset.plot);
  if (!answer.ok) throw new Error(`the curves could not be loaded (status ${answer.status})`);
  const data = withBothUnits(await answer.json());
  const pressed = section.querySelectorAll(".legend [aria-pressed=true]");
  const state = {
    shown: new Set([...pressed].map((button) => Number(button.dataset.number))),
    unit: new URLSearchParams(window.location.search).get("unit") === "cm3" ? "cm3" : "percent",
    tps: true,
  };
  section.querySelectorAll(".needs-js").forEach((part) => part.removeAttribute("hidden"));
  const legend = new Legend(section.querySelector(".legend"), data, state);
  const plot = new DvhPlot(section.querySelector(".plot"), data, state, legend);
  const showTable = wireTable(state, () => refresh());
  function refresh(keep = true) {
    plot.refresh();
    legend.refresh();
    showTable();
    for (const button of section.querySelectorAll("[data-unit]")) {
      button.setAttribute("aria-pressed", String(button.dataset.unit === state.unit));
    }
    if (keep) remember(state);
  }
  legend.onchange = () => refresh();
  wireTools(state, refresh, plot, data);
  refresh(false);
  section.dataset.ready = "yes";
}

if (section) {
  start().catch((error) => {
    const note = document.createElement("p");
    note.className = "notice bad";
    note.textContent = `The plot cannot be drawn: ${error.message}. Reload the page to try again.`;
    section.append(note);
  });
}
