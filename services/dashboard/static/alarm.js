// A new alert is said, shown on every page until dismissed, and (if chosen) heard. It names nobody.

import { preferences } from "./preferences.js";
import { chime } from "./sound.js";

const KINDS = {
  crisis: "crisis alert",
  termination_phase: "termination phase due",
  missed_session: "missed session",
  session_unrecorded: "session not recorded",
  relapse_signal: "relapse signal",
  dead_letter: "unreadable message that may concern a crisis",
};

const said = new Set();

/** Once per alert and severity: a raised severity is said again, a repeated message is not. */
export function alarm({ alert_id: id, severity, kind }) {
  if (said.has(`${id} ${severity}`)) return;
  said.add(`${id} ${severity}`);
  const text = `New ${severity ?? ""} ${KINDS[kind] ?? String(kind ?? "alert").replaceAll("_", " ")}`.replace("  ", " ");
  const link = Object.assign(document.createElement("a"), { href: id ? `/alerts/${encodeURIComponent(id)}` : "/alerts", textContent: "Open it" });
  document.getElementById("alarm").replaceChildren(text, " ", link);
  document.getElementById("dismiss-alarm").hidden = false;
  if (preferences.sound) chime(severity === "high" ? 3 : 1);
}

document.getElementById("dismiss-alarm")?.addEventListener("click", (event) => {
  document.getElementById("alarm").replaceChildren();
  event.currentTarget.hidden = true;
  document.getElementById("main").focus();
});
