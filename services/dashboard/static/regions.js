// Regions: `<section id data-live-src="/parts/…">` is fetched again when something changed, at most once a second,
// and swapped in place. `data-live-for="id id"` limits it to changes of these ids, `data-live-on="alerts"` to alerts.
// Focus, scroll position and opened details are kept; while somebody types in a region it waits.
// `data-live-always`: also while the page is hidden. A response to an earlier request never replaces a later one's.

import { saySignedOut } from "./status.js";

const SPACING = 1_000;
const RETRY = 5_000;
const state = new WeakMap();
const regions = () => document.querySelectorAll("[data-live-src]");

export function markAll(dress) {
  for (const region of regions()) mark(region, dress);
}

export function markFor({ people = [], alerts = [] }, dress) {
  const ids = [...people, ...alerts];
  for (const region of regions()) {
    if (region.dataset.liveOn === "alerts" && alerts.length === 0) continue;
    const wanted = region.dataset.liveFor?.split(" ").filter(Boolean);
    if (!wanted || ids.length === 0 || ids.includes("*") || ids.some((id) => wanted.includes(id))) mark(region, dress);
  }
}

function mark(region, dress) {
  const known = state.get(region) ?? { last: 0, timer: 0, asked: 0, shown: 0 };
  state.set(region, known);
  if (known.timer) return;
  const wait = Math.max(0, known.last + SPACING - Date.now());
  known.timer = setTimeout(() => {
    known.timer = 0;
    known.last = Date.now();
    refresh(region, dress);
  }, wait);
}

async function refresh(region, dress) {
  if (!region.isConnected) return;
  if (document.hidden && !("liveAlways" in region.dataset)) return document.addEventListener("visibilitychange", () => mark(region, dress), { once: true });
  if (typing(region)) return mark(region, dress);
  const known = state.get(region), turn = ++known.asked;
  region.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(region.dataset.liveSrc, { headers: { "X-Fragment": "1" }, redirect: "error" });
    if (answer.status >= 500) throw new Error(String(answer.status));
    if (answer.status === 401) saySignedOut();
    const markup = await answer.text();
    if (turn < known.shown) return;
    if (!answer.ok) return (region.dataset.stale = "yes");
    if (typing(region)) return mark(region, dress);
    known.shown = turn;
    swap(region, markup);
    dress(region);
    if (turn === known.asked) delete region.dataset.stale;
  } catch {
    if (turn < known.shown) return;
    region.dataset.stale = "yes";
    setTimeout(() => mark(region, dress), RETRY);
  } finally {
    if (turn === known.asked) region.removeAttribute("aria-busy");
  }
}

/** True while somebody types in the region, or it has a form that was changed or is being sent: do not replace it. */
function typing(region) {
  const here = document.activeElement;
  const field = region.contains(here) && here.matches("input:not([type=checkbox], [type=radio]), textarea, select");
  return field || [...region.querySelectorAll("form")].some((form) => form.dataset.sent || changed(form));
}

function changed(form) {
  return [...form.elements].some((field) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return field.selectedIndex !== Math.max(0, [...field.options].findIndex((o) => o.defaultSelected));
    return "defaultValue" in field && field.value !== field.defaultValue;
  });
}

function swap(region, markup) {
  const fresh = new DOMParser().parseFromString(markup, "text/html").body;
  if (fresh.innerHTML.trim() === state.get(region).markup) return;
  state.get(region).markup = fresh.innerHTML.trim();
  const place = focusIn(region);
  const open = new Set([...region.querySelectorAll("details[open]")].map(signature));
  const scrolled = [region, ...region.querySelectorAll(".table-wrap, .chart-scroll")].map((e) => [e.scrollLeft, e.scrollTop]);
  region.replaceChildren(...fresh.childNodes);
  for (const details of region.querySelectorAll("details")) if (open.has(signature(details))) details.open = true;
  [region, ...region.querySelectorAll(".table-wrap, .chart-scroll")].forEach((e, i) => {
    if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i];
  });
  if (place) [...region.querySelectorAll("a, button, summary, [tabindex]")].find((e) => signature(e) === place)?.focus({ preventScroll: true });
}

function focusIn(region) {
  const here = document.activeElement;
  return here !== region && region.contains(here) ? signature(here) : null;
}

/** Identifies an element across two renderings: its id or key, else its link or text, within its row. */
function signature(element) {
  if (element.id) return `#${element.id}`;
  const row = element.closest("[data-row], [data-key], tr:has(.row-link)");
  const scope = row && row !== element ? row.dataset.row || row.dataset.key || row.querySelector(".row-link").getAttribute("href") : "";
  const own = element.dataset.key ?? element.getAttribute("href") ?? (element.querySelector("summary") ?? element).textContent.trim();
  return `${scope}|${element.tagName}|${own}`;
}
