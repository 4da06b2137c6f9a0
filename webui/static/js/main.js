// What every page does beyond plain links and forms.
import { showChoices, watchChoices } from "./choice.js";
import { watchCopies } from "./copy.js";
import { watchKeys } from "./keys.js";
import { showLocalTimes } from "./times.js";

watchCopies();
watchChoices();
watchKeys();
showLocalTimes(document);
document.body.addEventListener("htmx:afterSettle", (event) => {
  showLocalTimes(event.target);
  showChoices(event.target.parentElement ?? document);
});
