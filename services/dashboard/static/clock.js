// Human-readable times. Instants come as UTC ISO; `data-now` on <body> is the server's current time, so that a
// development stack whose clock was moved still shows "3 minutes ago".

let ahead = Date.parse(document.body.dataset.now ?? "") - Date.now() || 0;
export const now = () => Date.now() + ahead;
export const setNow = (iso) => (ahead = Date.parse(iso) - Date.now() || 0);

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["week", 604_800], ["day", 86_400], ["hour", 3_600], ["minute", 60]];

/** `data-ago`: relative text; `data-until`: a bar that runs down; `data-left`: the remaining time. */
export function tick(root) {
  const within = root?.querySelectorAll ? root : document;
  for (const element of within.querySelectorAll("time[data-ago]")) write(element, ago(element.dateTime));
  for (const element of within.querySelectorAll("[data-until]")) drain(element);
  for (const element of within.querySelectorAll("[data-gone]")) element.hidden = Date.parse(element.dataset.gone) <= now();
  for (const element of within.querySelectorAll("[data-left]")) write(element, left(element.dataset.left));
}

function write(element, text) {
  if (text && element.textContent !== text) element.textContent = text;
}

function ago(iso) {
  const seconds = (Date.parse(iso) - now()) / 1000;
  if (Number.isNaN(seconds)) return "";
  const [unit, size] = UNITS.find(([, s]) => Math.abs(seconds) >= s) ?? ["minute", 60];
  return Math.abs(seconds) < 60 ? "just now" : relative.format(Math.trunc(seconds / size), unit);
}

/** A <progress> or <meter> with `data-until` (and `data-from`) runs down; assistive technology reads the words beside it. */
function drain(element) {
  const until = Date.parse(element.dataset.until);
  const whole = (until - Date.parse(element.dataset.from ?? "")) / 1000 || 1800;
  element.max = whole;
  element.value = Math.max(0, Math.min(whole, (until - now()) / 1000));
  element.classList.toggle("soon", until - now() < 300_000);
}

/** Text that changes each second: the caller marks it aria-hidden and gives the end time as text. */
function left(iso) {
  const seconds = Math.round((Date.parse(iso) - now()) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds <= 0) return "run out";
  const pad = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${pad(m)}:${pad(s)} left` : `${m}:${pad(s)} left`;
}
