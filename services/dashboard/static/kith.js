// The page keeps itself up to date. Without this file every link and form still works.

import { heed } from "./alarm.js";
import { followFolding, showNow } from "./charts.js";
import { tick } from "./clock.js";
import { watchIdle } from "./idle.js";
import { bindKeys } from "./keys.js";
import { follow } from "./live.js";
import { fillNames } from "./names.js";
import { bindToggles } from "./preferences.js";

const SENDING = 10_000;

/** A form that was sent is not sent again while it is on its way: the second press would be a second request. A sending
 *  that was stopped says nothing to anybody, so after a while the form is there again: its key makes two sendings one. */
function guardForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "dialog") return;
    if (form.dataset.sent) return event.preventDefault();
    if (form.method !== "post") return;
    form.dataset.sent = "yes";
    // After this turn, so that the pressed button's own name and value are still sent.
    setTimeout(() => setButtons(form, true));
    setTimeout(() => release(form), SENDING);
  });
  // Coming back with the browser's Back button shows the page as it was left: give the buttons back.
  window.addEventListener("pageshow", (event) => event.persisted && document.querySelectorAll("form[data-sent]").forEach(release));
}

function setButtons(form, disabled) {
  for (const button of form.elements) if (button.type === "submit") button.disabled = disabled;
}

function release(form) {
  delete form.dataset.sent;
  setButtons(form, false);
}

/** Selects and boxes marked `data-submit` send their form when they change; the button stays for everybody else. */
function bindFilters() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("form[method=get] [data-submit]")) event.target.form.requestSubmit();
  });
}

/** Called once, and for every region that was swapped in. */
function dress(root) {
  for (const element of root.querySelectorAll("[data-needs-script]")) element.hidden = false;
  fillNames(root);
  tick(root);
  heed();
}

guardForms();
bindFilters();
bindToggles();
bindKeys();
dress(document);
showNow(document);
followFolding();
setInterval(tick, 1000);
document.querySelector("[data-focus]")?.focus();
if ("signedIn" in document.body.dataset) {
  watchIdle();
  follow(dress);
}
