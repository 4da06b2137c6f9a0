// The list of structures: groups, filter, which are shown, where they are, what is wrong with them.
const ORDER = ["Targets", "Organs", "Body, supports, markers"];

const volume = (cm3) => (cm3 === null ? "" : cm3 < 10 ? cm3.toFixed(2) : cm3 < 1000 ? cm3.toFixed(1) : Math.round(cm3).toString());

export class StructureList {
  constructor(root, app) {
    Object.assign(this, { root, app, list: root.querySelector("[data-list]"), rows: new Map() });
    this.filter = root.querySelector("[type=search]");
    this.filter.addEventListener("input", () => this.applyFilter());
    root.querySelector("[data-all]").addEventListener("click", () => app.show([...this.rows.keys()].filter((number) => this.visible(number))));
    root.querySelector("[data-none]").addEventListener("click", () => app.show([]));
  }

  fill(rois, facts) {
    this.rows.clear();
    const parts = [];
    const groups = ORDER.map((name) => [name, rois.filter((roi) => (facts.get(roi.number)?.group ?? ORDER[1]) === name)]);
    for (const [name, members] of groups) {
      if (!members.length) continue;
      const heading = document.createElement("h3");
      heading.textContent = name;
      const list = document.createElement("ul");
      list.append(...members.map((roi) => this.row(roi, facts.get(roi.number))));
      parts.push(heading, list);
    }
    if (!parts.length) {
      const none = document.createElement("p");
      none.className = "muted";
      none.textContent = "No structure set.";
      parts.push(none);
    }
    this.list.replaceChildren(...parts);
    this.refresh();
    this.read(null, null);
  }

  row(roi, facts) {
    const item = document.getElementById("roi-row").content.firstElementChild.cloneNode(true);
    const [toggle, go] = item.querySelectorAll("button");
    item.querySelector("rect").setAttribute("fill", this.app.color(roi.number));
    item.querySelector(".name").textContent = roi.name;
    const problems = this.problems(roi, facts);
    toggle.title = [
      `${roi.name}${facts?.type ? ` (${facts.type})` : ""}`,
      facts?.volume_cm3 != null ? `${volume(facts.volume_cm3)} cm³` : null,
      facts?.mean_gy != null ? `mean ${facts.mean_gy.toFixed(2)} ${this.app.doseUnit}, maximum ${facts.max_gy?.toFixed(2)}` : null,
      ...problems,
    ].filter(Boolean).join("\n");
    const warning = item.querySelector(".warn");
    warning.hidden = !problems.length;
    warning.title = problems.join("\n");
    item.classList.toggle("empty", !roi.drawn);
    toggle.disabled = !roi.drawn;
    go.disabled = !roi.center_mm;
    go.setAttribute("aria-label", `Go to the centre of ${roi.name}`);
    toggle.addEventListener("click", (event) => {
      if (event.altKey) this.app.show([roi.number]);
      else this.app.toggle(roi.number);
    });
    go.addEventListener("click", () => this.app.goTo(roi.center_mm, roi.name));
    item.addEventListener("pointerenter", () => this.app.bringNear(roi.number, "list"));
    item.addEventListener("pointerleave", () => this.app.bringNear(null, "list"));
    toggle.addEventListener("focus", () => this.app.bringNear(roi.number, "list"));
    toggle.addEventListener("blur", () => this.app.bringNear(null, "list"));
    this.rows.set(roi.number, { item, toggle, roi });
    return item;
  }

  problems(roi, facts) {
    const found = [...(facts?.warnings ?? [])];
    if (roi.refused) found.unshift(`Not shown: ${roi.refused}.`);
    else if (!roi.drawn) found.unshift("No contours.");
    if (roi.note) found.push(`${roi.note}.`);
    if (roi.unmatched) found.push(`${roi.unmatched} contour planes lie on no image.`);
    if (roi.lines.some(([kind]) => kind === "OBLIQUE")) found.push("Oblique contours: shown where they cross a pane.");
    return [...new Set(found)];
  }

  // While the DVH is read, the volumes at that dose stand where else the mean doses do.
  read(dose, volumes) {
    this.root.querySelector(".unit").textContent = volumes ? `V ${dose.toFixed(1)} ${this.app.doseUnit} [%]` : "mean";
    for (const [number, { item }] of this.rows) {
      const percent = volumes?.get(number);
      const mean = this.app.facts.get(number)?.mean_gy;
      item.querySelector(".measure").textContent = volumes ? (percent === undefined ? "" : percent.toFixed(1)) : mean == null ? "" : mean.toFixed(1);
    }
  }

  refresh() {
    for (const [number, { toggle }] of this.rows) toggle.setAttribute("aria-pressed", String(this.app.state.shown.has(number)));
  }

  highlight(number) {
    for (const [own, { item }] of this.rows) item.classList.toggle("near", own === number);
  }

  visible(number) {
    const { item, roi } = this.rows.get(number);
    return roi.drawn && !item.hidden;
  }

  applyFilter() {
    const words = this.filter.value.trim().toLowerCase().split(/\s+/);
    for (const { item, roi } of this.rows.values()) item.hidden = !words.every((word) => roi.name.toLowerCase().includes(word));
    for (const heading of this.list.querySelectorAll("h3")) heading.hidden = !heading.nextElementSibling.querySelector("li:not([hidden])");
  }

  // The structure that arrow keys go through: the one at the pointer, else the last one touched.
  next(number, way) {
    const drawn = [...this.rows.keys()].filter((own) => this.visible(own));
    return drawn[(drawn.indexOf(number) + way + drawn.length) % drawn.length];
  }
}
