// What every page does beyond plain links and forms.
import { watchCopies } from "./copy.js";
import { watchKeys } from "./keys.js";
import { showLocalTimes } from "./times.js";

watchCopies();
watchKeys();
showLocalTimes(document);
document.body.addEventListener("htmx:afterSettle", (event) => showLocalTimes(event.target));
