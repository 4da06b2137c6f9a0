// Ticked rows: how many there are, and one box for all of a page.
const boxes = (form) => [...form.querySelectorAll("input[name=item], input[name=study]")];

function show(form) {
  const chosen = boxes(form).filter((box) => box.checked).length;
  const all = form.querySelector("[data-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes(form).length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
  form.querySelector("[data-count]").textContent = chosen ? `${chosen} chosen` : "Tick what is to go.";
  for (const button of form.querySelectorAll(".choice button")) button.disabled = chosen === 0;
}

export function watchChoices() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-chooses]");
    if (!form) return;
    if (event.target.matches("[data-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    show(form);
  });
  showChoices(document);
}

export function showChoices(root) {
  for (const form of root.querySelectorAll("form[data-chooses]")) show(form);
}
