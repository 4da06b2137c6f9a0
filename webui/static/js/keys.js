// Keys that work on every page; none of them changes or sends anything.
const PAIR_MS = 1000;
let waitingSince = -Infinity;

const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

// The page says which letters lead where: only where this account may go.
const sheet = document.getElementById("keys");
const places = JSON.parse(sheet?.dataset.places ?? "{}");

function openSheet() {
  if (sheet && !sheet.open) sheet.showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.timeStamp - waitingSince < PAIR_MS && places[event.key]) {
    window.location.assign(places[event.key]);
  } else if (event.key === "/") {
    const search = document.getElementById("global-search");
    if (!search) return;
    event.preventDefault();
    search.focus();
  } else if (event.key === "?") {
    openSheet();
  }
  waitingSince = event.key === "g" ? event.timeStamp : -Infinity;
}

export function watchKeys() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens=keys]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openSheet();
  });
}
