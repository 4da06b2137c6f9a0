// Copies a UID when it is clicked and says so for a moment.
const SHOWN_MS = 1200;

async function copy(button) {
  const text = button.dataset.copy;
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyBySelection(text);
  const before = button.textContent;
  button.textContent = "copied";
  button.classList.add("copied");
  setTimeout(() => {
    button.textContent = before;
    button.classList.remove("copied");
  }, SHOWN_MS);
}

// Pages that come by plain http from another machine have no clipboard object.
function copyBySelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function watchCopies() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button && !button.classList.contains("copied")) copy(button);
  });
}
