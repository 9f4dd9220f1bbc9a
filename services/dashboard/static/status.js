// The page's own status: live, behind, reconnecting, signed out.

let over = false;

/** Writes only changes, because screen readers read every write aloud. Signed out is final. */
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
