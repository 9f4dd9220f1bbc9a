// Follows /live (server-sent events) and says how fresh the page is.
//
// Events: `change` {"people": [ids], "alerts": [ids]} ("*": anything may have changed);
// `alarm` {"alert_id", "severity", "kind"}; `goodbye`: the server lets go, come again at once;
// `beat` {"as_of": ISO, "now": ISO}, optional: once seen, its absence means that the line is dead, and an old `as_of`
// that the read model is behind.

import { alarm } from "./alarm.js";
import { now, setNow } from "./clock.js";
import { markAll, markFor } from "./regions.js";

const SILENCE = 45_000;
const BEHIND = 30_000;
let source, attempts, lastWord, beats, retry;

export function follow(dress) {
  attempts = 0;
  connect(dress);
  setInterval(() => beats && Date.now() - lastWord > SILENCE && again(dress), 5_000);
  window.addEventListener("online", () => again(dress, 0));
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => event.persisted && again(dress, 0));
}

function connect(dress) {
  clearTimeout(retry);
  source = new EventSource("/live");
  source.onopen = () => opened(dress);
  source.onerror = () => again(dress);
  on("change", (data) => markFor([...(data.people ?? []), ...(data.alerts ?? [])], dress));
  on("alarm", alarm);
  on("beat", beat);
  on("goodbye", () => again(dress, Math.random() * 500, true));
}

function on(name, then) {
  source.addEventListener(name, (event) => {
    lastWord = Date.now();
    then(parsed(event.data));
  });
}

function parsed(text) {
  try {
    return JSON.parse(text || "{}") ?? {};
  } catch {
    return {};
  }
}

function opened(dress) {
  attempts = 0;
  lastWord = Date.now();
  say("connected", "Live");
  // Whatever changed between the drawing of the page and this moment was told to nobody here.
  markAll(dress);
}

/** Connects anew: at once after a goodbye, otherwise after 1, 2, 4 … 15 seconds, never all pages together. */
function again(dress, wait, quietly = false) {
  source.close();
  clearTimeout(retry);
  beats = false;
  if (!quietly) say("reconnecting", `Reconnecting. Showing data as of ${clock(lastWord ?? Date.now())}`);
  attempts += 1;
  retry = setTimeout(() => connect(dress), wait ?? Math.min(15_000, 500 * 2 ** attempts) * (0.75 + Math.random() / 2));
}

function beat(data) {
  beats = true;
  if (data.now) setNow(data.now);
  const age = now() - Date.parse(data.as_of);
  if (age > BEHIND) say("behind", `Catching up. Showing data as of ${clock(data.as_of)}`);
  else say("connected", "Live");
}

function clock(instant) {
  return new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** Only a change is written: a status said again is read out again. */
function say(state, text) {
  const live = document.getElementById("live");
  live.dataset.state = state;
  if (live.textContent !== text) live.textContent = text;
}
