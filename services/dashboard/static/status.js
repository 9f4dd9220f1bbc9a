// What the page says about itself: live, behind, reconnecting, signed out.

let over = false;

/** Only a change is written: a status said again is read out again. Once signed out, nothing else is true. */
export function say(state, text) {
  if (over) return;
  const live = document.getElementById("live");
  live.dataset.state = state;
  if (live.textContent !== text) live.textContent = text;
}

export function saySignedOut() {
  say("signed-out", "Signed out. Sign in again: what is shown gets older");
  over = true;
}
