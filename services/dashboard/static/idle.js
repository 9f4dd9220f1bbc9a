// Automatic sign-out (45 CFR 164.312(a)(2)(iii)): after `data-idle-seconds` without a touch, and when the token ends
// (`data-expires`). Both are announced two minutes before. All tabs of this browser count as one person. The server has
// its own idle limit, so it is told of a touch now and then.

const WARNING = 120_000;
const RENEWAL = 20_000;
const { expires, idleSeconds } = document.body.dataset;
let expiry = Date.parse(expires) || Infinity;
const limit = (Number(idleSeconds) || 900) * 1000;
const dialog = document.getElementById("leaving");
let touched = Date.now();
let shared = 0;
let renewed = Date.now();
let leaving = false;

export function watchIdle() {
  for (const touch of ["pointerdown", "keydown", "wheel", "touchstart"]) {
    document.addEventListener(touch, (event) => dialog.open || leaves(event.target) || noteTouch(), { passive: true });
  }
  window.addEventListener("storage", (event) => {
    if (event.key === "kith.touched") touched = Math.max(touched, Number(event.newValue) || 0);
    if (event.key === "kith.expires") noteExpiry(Number(event.newValue) || 0);
    if (event.key === "kith.signed-out" && event.newValue) location.assign(`/sign-in?reason=${event.newValue.split(" ")[0]}`);
  });
  document.getElementById("sign-out").addEventListener("submit", () => shareSignOut("out"));
  document.getElementById("stay").addEventListener("click", () => {
    noteTouch();
    dialog.close();
  });
  dialog.addEventListener("close", noteTouch);
  share("kith.expires", expiry);
  noteTouch();
  setInterval(check, 1000);
}

/** After a new sign-in in another tab this tab continues too, because both share the cookie. */
function noteExpiry(end) {
  if (end <= expiry) return;
  expiry = end;
  delete dialog.dataset.seen;
  if (dialog.open) dialog.close();
}

/** A press on sign-out must not prolong the session: its response might arrive after that of the sign-out. */
function leaves(target) {
  return Boolean(target.closest?.("#sign-out"));
}

function noteTouch() {
  touched = Date.now();
  if (touched - shared > 5_000) {
    shared = touched;
    share("kith.touched", touched);
  }
  if (touched - renewed > RENEWAL) {
    renewed = touched;
    fetch("/touch").catch(() => (renewed = 0));
  }
}

function shareSignOut(reason) {
  share("kith.signed-out", `${reason} ${Date.now()}`);
}

function share(key, value) {
  try {
    localStorage.setItem(key, String(value));
  } catch {
    // Storage is unavailable: each tab counts alone.
  }
}

function check() {
  const idleEnd = touched + limit;
  const end = Math.min(idleEnd, expiry);
  if (Date.now() >= end) return leave(end === expiry ? "expired" : "idle");
  if (Date.now() < end - Math.min(WARNING, limit / 2)) return dialog.open && end !== expiry && dialog.close();
  if (!dialog.open && !dialog.dataset.seen) warn(end);
}

function warn(end) {
  const final = end === expiry;
  const at = document.getElementById("leaving-at");
  at.dateTime = new Date(end).toISOString();
  at.textContent = new Date(end).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  document.getElementById("stay").hidden = final;
  document.getElementById("sign-in-again").hidden = !final;
  // An expiring token cannot be prolonged from here: warn once and let the person finish.
  if (final) dialog.dataset.seen = "yes";
  dialog.showModal();
}

async function leave(reason) {
  if (leaving) return;
  leaving = true;
  shareSignOut(reason);
  const form = document.getElementById("sign-out");
  try {
    await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual", keepalive: true });
  } finally {
    location.assign(`/sign-in?reason=${reason}`);
  }
}
