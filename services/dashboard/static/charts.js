// Scrolls a chart that is too wide to `now` instead of its oldest part. Without this file it scrolls as usual.

export function showNow(root) {
  for (const room of root.querySelectorAll(".chart-scroll")) {
    if (room.scrollLeft || room.scrollWidth <= room.clientWidth) continue;
    const now = room.querySelector(".now");
    if (!now && !room.querySelector(".phq9, .gad7")) continue; // not a chart over time
    const ahead = now ? now.getBoundingClientRect().left - room.getBoundingClientRect().left : room.scrollWidth;
    room.scrollLeft = ahead - room.clientWidth * 0.7;
  }
}

/** Collapsed content has no width until it is opened. */
export const followFolding = () => document.addEventListener("toggle", (event) => event.target.open && showNow(event.target), true);
