// Follows /live (server-sent events) and shows how fresh the page is. All tabs of a browser share one connection: the
// tab with the lock listens and tells the others, as a browser opens at most six connections to a server (HTTP/1.1).
//
// Events: `change` {"people": [ids], "alerts": [ids]} ("*": anything may have changed); `goodbye`: the server ends the
// stream, reconnect at once; `beat` {"as_of": ISO, "now": ISO}: its absence means that the connection is dead, and an
// old `as_of` that the read model is behind.

import { now, setNow } from "./clock.js";
import { markAll, markFor } from "./regions.js";
import { say, saySignedOut } from "./status.js";

const SILENCE = 45_000;
const BEHIND = 30_000;
const NAME = `kith.live.${document.querySelector("meta[name=csrf-token]")?.content ?? ""}`;
const shares = "locks" in navigator && "BroadcastChannel" in window;
let source, tabs, attempts, lastWord, beats, retry, said, dress;

export function follow(dressed) {
  dress = dressed;
  window.addEventListener("pageshow", (event) => event.persisted && join());
  window.addEventListener("online", () => source && again(0));
  setInterval(() => source && beats && Date.now() - lastWord > SILENCE && again(), 5_000);
  join();
}

function join() {
  if (!shares) return lead();
  tabs = new BroadcastChannel(NAME);
  tabs.onmessage = ({ data: [name, ...told] }) => (name === "who" ? source && said && tell("said", ...said) : hear(name, ...told));
  tabs.postMessage(["who"]);
  navigator.locks.request(NAME, lead);
}

/** Holds the lock until the page is left; then the next tab takes over. */
function lead() {
  attempts = 0;
  connect();
  return new Promise((resolve) => window.addEventListener("pagehide", () => resolve(leave()), { once: true }));
}

function leave() {
  clearTimeout(retry);
  source?.close();
  tabs?.close();
  source = undefined;
}

function tell(name, ...told) {
  tabs?.postMessage([name, ...told]);
  hear(name, ...told);
}

function hear(name, ...told) {
  if (name === "change") markFor(told[0], dress);
  if (name === "now") setNow(told[0]);
  if (name !== "said") return;
  const [state, text, anew] = told;
  if (state === "signed-out") saySignedOut();
  else say(state, text);
  // Changes between the rendering of the page and this moment were not received here.
  if (anew) markAll(dress);
}

function connect() {
  clearTimeout(retry);
  source = new EventSource("/live");
  source.onopen = opened;
  source.onerror = () => again();
  on("change", (data) => tell("change", data));
  on("beat", beat);
  on("goodbye", () => again(Math.random() * 500, true));
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

function state(name, text) {
  said = [name, text, name === "connected"];
  tell("said", name, text, false);
}

function opened() {
  attempts = 0;
  lastWord = Date.now();
  said = ["connected", "Live", true];
  tell("said", ...said);
}

/** Reconnects: at once after a goodbye, otherwise after 1, 2, 4 … 15 seconds, with jitter. */
function again(wait, quietly = false) {
  source.close();
  clearTimeout(retry);
  beats = false;
  if (!quietly) state("reconnecting", `Reconnecting. Showing data as of ${clock(lastWord ?? Date.now())}`);
  attempts += 1;
  retry = setTimeout(retried, wait ?? Math.min(15_000, 500 * 2 ** attempts) * (0.75 + Math.random() / 2));
}

/** A refused stream gives no reason, so request something small first. */
async function retried() {
  try {
    const answer = await fetch("/parts/crises", { headers: { "X-Fragment": "1" }, redirect: "error" });
    if (answer.status === 401) return state("signed-out", "");
  } catch {
    // No answer: the stream will fail as well.
  }
  if (source) connect();
}

function beat(data) {
  beats = true;
  if (data.now) tell("now", data.now);
  const age = now() - Date.parse(data.as_of);
  if (age > BEHIND) state("behind", `Catching up. Showing data as of ${clock(data.as_of)}`);
  else state("connected", "Live");
}

function clock(instant) {
  return new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
