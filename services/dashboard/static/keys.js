// The keyboard: `/` filter, `f` find a person, `j` and `k` rows, `g` then a letter a page, `?` help. Never while
// somebody types, and not at all once switched off (WCAG 2.1.4).

import { preferences } from "./preferences.js";

const PAGES = { c: "/", a: "/alerts", i: "/intake", w: "/calendar", o: "/outcomes" };
const WAIT = 1_500;
let going = 0;

export function bindKeys() {
  document.getElementById("show-keys")?.addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (!preferences.keys || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (press(event.key)) event.preventDefault();
  });
}

function typing(element) {
  return element.isContentEditable || element.matches?.("textarea, select, input:not([type=checkbox], [type=radio], [type=submit], [type=button])");
}

function press(key) {
  if (Date.now() < going && key in PAGES) return go(PAGES[key]);
  going = key === "g" ? Date.now() + WAIT : 0;
  if (key === "/") return focus(document.querySelector("[data-filter], .filters input:not([type=hidden])"));
  if (key === "f") return focus(document.getElementById("find"));
  if (key === "j") return step(1);
  if (key === "k") return step(-1);
  if (key === "?") return help();
  return false;
}

function go(href) {
  location.assign(href);
  return true;
}

function focus(element) {
  element?.focus();
  element?.select?.();
  return Boolean(element);
}

/** Moves the focus to a row's `row-link`, so that Enter opens it. */
function step(by) {
  const links = [...document.querySelectorAll(".row-link")];
  const row = document.activeElement?.closest?.("tr, li, article, [data-row]");
  const at = links.findIndex((link) => row?.contains(link));
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by));
  links[next]?.focus();
  links[next]?.scrollIntoView({ block: "nearest" });
  return links.length > 0;
}

function help() {
  document.getElementById("keys")?.showModal();
  return true;
}
