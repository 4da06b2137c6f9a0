// Keys that work on every page; none of them changes or sends anything.
const PLACES = { p: "/patients", l: "/plans", d: "/to-decide", t: "/transfers", j: "/jobs", s: "/system" };
const PAIR_MS = 1000;
let waitingSince = -Infinity;

const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

function openSheet() {
  const sheet = document.getElementById("keys");
  if (sheet && !sheet.open) sheet.showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.timeStamp - waitingSince < PAIR_MS && PLACES[event.key]) {
    window.location.assign(PLACES[event.key]);
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
