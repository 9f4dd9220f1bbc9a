// Where there is no room for a whole picture it begins at now, not at its oldest part. Without this file it scrolls as any.

export function showNow(root) {
  for (const room of root.querySelectorAll(".chart-scroll")) {
    if (room.scrollLeft || room.scrollWidth <= room.clientWidth) continue;
    const now = room.querySelector(".now");
    if (!now && !room.querySelector(".phq9, .gad7")) continue; // no picture over time: it begins where it begins
    const ahead = now ? now.getBoundingClientRect().left - room.getBoundingClientRect().left : room.scrollWidth;
    room.scrollLeft = ahead - room.clientWidth * 0.7;
  }
}

/** What is folded has no room until it is opened. */
export const followFolding = () => document.addEventListener("toggle", (event) => event.target.open && showNow(event.target), true);
