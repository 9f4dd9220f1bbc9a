// The server renders the crises nobody holds at the top of every page. This module announces new ones to screen readers
// and, if sound is on, plays a tone: once per tab, and again when a crisis becomes more severe or escalates. One that
// was dismissed stays hidden until then, but only for the sign-in that dismissed it.

import { preferences } from "./preferences.js";
import { chime } from "./sound.js";

const SHOWN = 3;
const SIGN_IN = document.querySelector("meta[name=csrf-token]")?.content ?? "";
const heard = remembered("heard");
const dismissed = remembered("dismissed");

function remembered(name) {
  try {
    return new Set(JSON.parse(sessionStorage.getItem(`kith.${name}.${SIGN_IN}`) ?? "[]"));
  } catch {
    return new Set();
  }
}

function remember(name, keys) {
  try {
    sessionStorage.setItem(`kith.${name}.${SIGN_IN}`, JSON.stringify([...keys].slice(-500)));
  } catch {
    // Storage is unavailable: kept for this page only.
  }
}

/** Shows, hides and announces the alarms as currently rendered. */
export function heed() {
  const drawn = [...document.querySelectorAll("[data-alarm]")];
  const shown = drawn.filter((alarm) => !dismissed.has(alarm.dataset.alarm)).slice(0, SHOWN);
  for (const alarm of drawn) alarm.hidden = !shown.includes(alarm);
  const gone = drawn.filter((alarm) => dismissed.has(alarm.dataset.alarm)).length;
  sayHowManyMore(shown.length + gone);
  const button = document.getElementById("dismiss-alarms");
  if (button) button.hidden = shown.length === 0;
  const fresh = drawn.filter((alarm) => !heard.has(alarm.dataset.alarm));
  if (fresh.length === 0) return;
  for (const alarm of fresh) heard.add(alarm.dataset.alarm);
  remember("heard", heard);
  announce(fresh.map((alarm) => alarm.dataset.severity));
}

function sayHowManyMore(seen) {
  const line = document.getElementById("more-alarms");
  if (!line) return;
  line.hidden = line.dataset.count <= seen;
  line.firstElementChild.textContent = `${line.dataset.count - seen} more`;
}

function announce(severities) {
  const high = severities.filter((severity) => severity === "high").length;
  const one = severities.length === 1;
  const text = one ? `New ${severities[0]} crisis alert` : `${severities.length} new crisis alerts, ${high} of them high`;
  document.getElementById("alarm").textContent = text;
  if (preferences.sound) chime(high ? 3 : 1);
}

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("#dismiss-alarms")) return;
  for (const alarm of document.querySelectorAll("[data-alarm]:not([hidden])")) dismissed.add(alarm.dataset.alarm);
  remember("dismissed", dismissed);
  heed();
  document.getElementById("alarm").textContent = "";
  document.getElementById("main").focus();
});
