// Upload of files, folders and ZIPs: each file is a request of its own, a few at a time.
const AT_A_TIME = 3;
// Results that are shown one by one; of more files only the totals and what went wrong.
const MOST_ROWS = 500;
const KINDS = { new: "ok", known: "ok", conflict: "warn", "not DICOM": "warn" };

const form = document.querySelector("[data-upload]");
const panel = document.querySelector("[data-progress]");
const bar = panel.querySelector("progress");
const total = panel.querySelector("[data-total]");
const results = document.querySelector("[data-results]");
const template = document.querySelector("#upload-row");

const waiting = [];
const running = new Map();
const done = { files: 0, bytes: 0, objects: {} };
const all = { files: 0, bytes: 0 };
let began = 0;

form.classList.add("scripted");
form.querySelector("[data-plain]").hidden = true;
form.querySelector("[data-folder]").hidden = false;
for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    add([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
    input.value = "";
  });
}
form.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("over");
});
form.addEventListener("dragleave", () => form.classList.remove("over"));
form.addEventListener("drop", async (event) => {
  event.preventDefault();
  form.classList.remove("over");
  // Entries are gone once this handler has waited: all are taken first.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
  for (const entry of entries) if (entry) await walk(entry);
});
panel.querySelector("[data-stop]").addEventListener("click", () => {
  waiting.length = 0;
  for (const request of running.keys()) request.abort();
  show();
});
window.addEventListener("beforeunload", (event) => {
  if (waiting.length + running.size) event.preventDefault();
});

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    add([[entry.fullPath.slice(1), file]]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const child of part) await walk(child);
  }
}

function add(files) {
  if (!all.files) began = performance.now();
  for (const [name, file] of files) {
    all.files += 1;
    all.bytes += file.size;
    waiting.push({ name, file, row: all.files <= MOST_ROWS ? addRow(name) : null });
  }
  panel.hidden = results.hidden = false;
  next();
}

function addRow(name) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.querySelector("th").textContent = name;
  results.querySelector("tbody").append(row);
  return row;
}

function next() {
  while (waiting.length && running.size < AT_A_TIME) send(waiting.shift());
  show();
}

function send(item) {
  const request = new XMLHttpRequest();
  running.set(request, 0);
  request.open("POST", `${form.dataset.upload}?name=${encodeURIComponent(item.name)}`);
  request.upload.addEventListener("progress", (event) => {
    running.set(request, event.loaded);
    mark(item.row, "run", event.loaded < event.total ? "uploading" : "storing", "", event.loaded / event.total);
    show();
  });
  request.addEventListener("loadend", () => {
    running.delete(request);
    done.files += 1;
    done.bytes += item.file.size;
    finish(item, request);
    next();
  });
  request.send(item.file);
}

function finish(item, request) {
  let answer = null;
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    // No answer of ours: the status says what happened.
  }
  if (request.status !== 200 || !Array.isArray(answer)) {
    const why = request.status === 413 ? "The file is too large." : request.status === 0 ? "Stopped, or no connection." : answer?.detail ?? `The server answered ${request.status}.`;
    count("failed");
    mark(item.row ?? addRow(item.name), "bad", "failed", why);
    return;
  }
  for (const one of answer) count(one.outcome);
  const wrong = answer.filter((one) => !["new", "known"].includes(one.outcome));
  if (answer.length === 1) {
    if (item.row || wrong.length) mark(item.row ?? addRow(item.name), KINDS[answer[0].outcome] ?? "bad", answer[0].outcome, answer[0].reason);
    return;
  }
  const kept = answer.filter((one) => one.kept).length;
  mark(item.row ?? addRow(item.name), wrong.length ? "warn" : "ok", `${kept} of ${answer.length}`, "");
  for (const one of wrong) mark(addRow(one.name), KINDS[one.outcome] ?? "bad", one.outcome, one.reason);
}

function count(outcome) {
  done.objects[outcome] = (done.objects[outcome] ?? 0) + 1;
}

function mark(row, tone, text, why, part = null) {
  if (!row) return;
  const badge = row.querySelector(".badge");
  badge.className = `badge ${tone}`;
  badge.textContent = text;
  const progress = row.querySelector("progress");
  progress.hidden = part === null;
  if (part !== null) progress.value = part;
  row.lastElementChild.textContent = why;
}

function show() {
  const moving = [...running.values()].reduce((sum, bytes) => sum + bytes, 0);
  const bytes = done.bytes + moving;
  bar.value = all.bytes ? bytes / all.bytes : 0;
  const seconds = (performance.now() - began) / 1000;
  const rate = seconds > 1 ? bytes / seconds : 0;
  const counts = Object.entries(done.objects).map(([outcome, number]) => `${number} ${outcome}`);
  const busy = waiting.length + running.size > 0;
  const left = busy && rate ? `, ${(rate / 1e6).toFixed(1)} MB/s, ${duration((all.bytes - bytes) / rate)} left` : "";
  total.textContent = `${done.files} of ${all.files} files${left}${counts.length ? ` · objects: ${counts.join(", ")}` : ""}`;
  panel.querySelector("[data-stop]").hidden = !busy;
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
