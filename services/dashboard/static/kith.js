// Keeps the page up to date. Without this file every link and form still works.

import { heed } from "./alarm.js";
import { followFolding, showNow } from "./charts.js";
import { tick } from "./clock.js";
import { watchIdle } from "./idle.js";
import { bindKeys } from "./keys.js";
import { follow } from "./live.js";
import { fillNames } from "./names.js";
import { bindToggles } from "./preferences.js";

const SENDING = 10_000;

/** Blocks a form while its request is under way, so that a second press is not a second request. A cancelled request
 *  fires no event, so the form is released after a while; its key makes a repeated request take effect once. */
function guardForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "dialog") return;
    if (form.dataset.sent) return event.preventDefault();
    if (form.method !== "post") return;
    form.dataset.sent = "yes";
    // After this event, so that the pressed button's own name and value are still sent.
    setTimeout(() => setButtons(form, true));
    setTimeout(() => release(form), SENDING);
  });
  // The browser's Back button restores the page as it was left: enable the buttons again.
  window.addEventListener("pageshow", (event) => event.persisted && document.querySelectorAll("form[data-sent]").forEach(release));
}

function setButtons(form, disabled) {
  for (const button of form.elements) if (button.type === "submit") button.disabled = disabled;
}

function release(form) {
  delete form.dataset.sent;
  setButtons(form, false);
}

/** Selects and boxes marked `data-submit` submit their form on change; the button stays for use without script. */
function bindFilters() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("form[method=get] [data-submit]")) event.target.form.requestSubmit();
  });
}

/** Prepares new content: called for the whole page, and for every region that was swapped in. */
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
