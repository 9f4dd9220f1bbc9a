"""Horizontal bars: rates and means beside one another, with their goals."""

from collections.abc import Sequence

from markupsafe import Markup

from services.dashboard.charts.svg import element, group, picture, rule, words

Row = tuple[str, float, float | None]
"""(label, value, goal or none)"""

WIDTH, LEFT, RIGHT, TALL = 540, 176, 128, 34


def bars(rows: Sequence[Row], unit: str, title: str = "Comparison") -> Markup:
    """One bar per row on a scale from 0; percentages go to 100. A goal is a vertical mark and a number."""
    top = max([value for _, value, _ in rows] + [goal for _, _, goal in rows if goal is not None] + [0.0])
    top = 100.0 if unit == "%" else top or 1.0
    drawn = [_row(row, n * TALL, top, unit) for n, row in enumerate(rows)]
    said = "; ".join(_said(row, unit) for row in rows) or "Nothing to compare yet"
    return picture(WIDTH, max(TALL, len(rows) * TALL), title, f"{said}.", drawn, "chart chart-small")


def amount(value: float, unit: str) -> str:
    """`62 %`, `3.5 days`: one decimal at most."""
    return f"{round(value, 1):g} {unit}".strip()


def _row(row: Row, y: float, top: float, unit: str) -> Markup:
    label, value, goal = row
    whole = WIDTH - LEFT - RIGHT
    wide = whole * max(0.0, min(1.0, value / top))
    drawn = [
        element("title", _said(row, unit)),
        words(LEFT - 12, y + 21, _fitted(label), "end"),
        element("rect", x=LEFT, y=y + 8, width=whole, height=18, rx=3, class_="bar-ground"),
        element("rect", x=LEFT, y=y + 8, width=wide, height=18, rx=3, class_="bar"),
        words(LEFT + whole + 10, y + 21, amount(value, unit), "strong"),
    ]
    if goal is not None:
        at = LEFT + whole * max(0.0, min(1.0, goal / top))
        drawn.append(rule(at, y + 4, at, y + 30, "goal"))
        drawn.append(words(WIDTH, y + 21, f"goal {round(goal, 1):g}", "end"))
    return group("bars-row", *drawn)


def _fitted(label: str) -> str:
    return label if len(label) <= 24 else label[:23].rstrip() + "…"


def _said(row: Row, unit: str) -> str:
    label, value, goal = row
    return f"{label}: {amount(value, unit)}" + (f", goal {amount(goal, unit)}" if goal is not None else "")
