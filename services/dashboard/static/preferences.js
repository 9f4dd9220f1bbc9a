// What this browser remembers: colours, sound, single keys. Nothing about people.

import { chime, readySound } from "./sound.js";

function read(name) {
  try {
    return localStorage.getItem(`kith.${name}`);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(`kith.${name}`, value);
  } catch {
    // Storage is unavailable: kept for this page only.
  }
}

export const preferences = { sound: read("sound") === "on", keys: read("keys") !== "off" };

export function bindToggles() {
  bindTheme(document.getElementById("toggle-theme"));
  bindSound(document.getElementById("toggle-sound"));
  bindSingleKeys(document.getElementById("single-keys"));
}

function bindTheme(button) {
  if (!button) return;
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    keep("theme", root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

function bindSound(button) {
  if (!button) return;
  const show = () => button.setAttribute("aria-pressed", String(preferences.sound));
  button.addEventListener("click", () => {
    preferences.sound = !preferences.sound;
    keep("sound", preferences.sound ? "on" : "off");
    show();
    if (preferences.sound) chime(1);
  });
  for (const touch of ["pointerdown", "keydown"]) {
    document.addEventListener(touch, () => preferences.sound && readySound(), { once: true });
  }
  show();
}

function bindSingleKeys(box) {
  if (!box) return;
  box.checked = preferences.keys;
  box.addEventListener("change", () => {
    preferences.keys = box.checked;
    keep("keys", box.checked ? "on" : "off");
  });
}
