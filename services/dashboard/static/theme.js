// Runs before the first paint so that a chosen colour scheme does not flash.
try {
  const theme = localStorage.getItem("kith.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is unavailable: the system's scheme is used.
}
