"""Shapes that can be told apart without colour."""

from markupsafe import Markup

from services.dashboard.charts.svg import element


def session_mark(status: str, x: float, y: float, said: str) -> Markup:
    """● attended, ✕ missed, ○ cancelled, dashed ○ planned (and any other status). `said` is the tooltip."""
    told = element("title", said)
    if status == "attended":
        return element("circle", told, cx=x, cy=y, r=6, class_="session-attended")
    if status == "missed":
        cross = f"M{x - 5:.1f} {y - 5:.1f} l10 10 m0 -10 l-10 10"
        return element("path", told, d=cross, class_="session-missed")
    kind = "cancelled" if status == "cancelled" else "planned"
    return element("circle", told, cx=x, cy=y, r=5.5, class_=f"session-{kind}")


def crisis_mark(x: float, y: float) -> Markup:
    """An octagon with an exclamation mark, as on the badge."""
    eight = f"M{x - 3.7:.1f} {y - 9:.1f} h7.4 l5.3 5.3 v7.4 l-5.3 5.3 h-7.4 l-5.3 -5.3 v-7.4 z"
    bang = f"M{x:.1f} {y - 4.5:.1f} v5 m0 3.6 v.1"
    return element(
        "g",
        element("path", d=eight, class_="crisis-mark"),
        element("path", d=bang, class_="crisis-mark-line"),
    )
