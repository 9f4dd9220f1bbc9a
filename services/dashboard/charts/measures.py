"""PHQ-9 and GAD-7 over a course of care."""

from collections.abc import Sequence

from markupsafe import Markup

from services.dashboard.charts.axis import time_axis
from services.dashboard.charts.points import Known, Point, known, ordered, runs
from services.dashboard.charts.scale import TimeScale, ValueScale
from services.dashboard.charts.svg import day, element, group, path, picture, plural, rule, words
from services.dashboard.charts.svg import legend as legend_of

__all__ = ["BANDS", "Point", "legend", "measures"]

BANDS = (
    (0, 5, "minimal"),
    (5, 10, "mild"),
    (10, 15, "moderate"),
    (15, 20, "mod. severe"),
    (20, 27, "severe"),
)
"""PHQ-9 severity: 0–4, 5–9, 10–14, 15–19, 20–27 (Kroenke 2001). Each band is drawn up to the next one."""
TITLE = "PHQ-9 and GAD-7 over time"


def measures(
    phq9: Sequence[Point],
    gad7: Sequence[Point],
    bands: bool = True,
    width: int = 760,
    height: int = 300,
    baseline: int | None = None,
) -> Markup:
    """Totals as lines on 0–27: PHQ-9 solid with filled dots, GAD-7 (0–21) dashed with open squares.

    A missing total is a gap and a dash at the foot, never a 0. `bands` shades PHQ-9 severity; `baseline` is
    the first known PHQ-9 total unless given.
    """
    every = ordered([*phq9, *gad7])
    if not every:
        empty = words(width / 2, height / 2, "No measures yet", "middle")
        return picture(width, height, TITLE, "No measures yet.", [empty], "chart")
    x = TimeScale(every[0].at, every[-1].at, 52, width - (132 if bands else 48))
    y = ValueScale(27, height - 34, 34)
    start = _start(phq9, baseline)
    body = [
        *_ground(x, y, bands),
        *time_axis(x, y.bottom + 6, y.ceiling),
        *([rule(x.left - 14, y.y(start), x.right + 30, y.y(start), "baseline")] if start is not None else []),
        _series("gad7", gad7, x, y),
        _series("phq9", phq9, x, y),
        *_last_values(phq9, gad7, x, y),
    ]
    said = f"{_described('PHQ-9', phq9)} {_described('GAD-7', gad7)}".strip()
    return picture(width, height, TITLE, said, body, "chart")


def _ground(x: TimeScale, y: ValueScale, bands: bool) -> list[Markup]:
    left, right, drawn = x.left - 14, x.right + 30, []
    for n, (low, high, name) in enumerate(BANDS):
        tall = y.y(low) - y.y(high)
        if bands:
            drawn.append(
                element("rect", x=left, y=y.y(high), width=right - left, height=tall, class_=f"band-{n}")
            )
            drawn.append(words(right + 8, y.y(high) + tall / 2 + 4, name))
        drawn.append(rule(left, y.y(low), right, y.y(low), "grid"))
        drawn.append(words(left - 8, y.y(low) + 4, str(low), "end"))
    return [*drawn, words(left - 8, y.y(27) + 4, "27", "end")]


def _series(name: str, points: Sequence[Point], x: TimeScale, y: ValueScale) -> Markup:
    drawn = [
        path([(x.x(at), y.y(total)) for at, total in run], "line") for run in runs(points) if len(run) > 1
    ]
    drawn += [_dot(name, x.x(at), y.y(total), f"{day(at)}: {total}") for at, total in known(points)]
    drawn += [_absent(x.x(point.at), y.bottom, point) for point in points if point.total is None]
    return group(name, *drawn)


def _dot(name: str, x: float, y: float, said: str) -> Markup:
    told = element("title", said)
    if name == "phq9":
        return element("circle", told, cx=x, cy=y, r=4.5, class_="dot")
    return element("rect", told, x=x - 3.5, y=y - 3.5, width=7, height=7, class_="dot")


def _absent(x: float, y: float, point: Point) -> Markup:
    told = element("title", f"{day(point.at)}: no total")
    return element("path", told, d=f"M{x - 5:.1f} {y:.1f} h10", class_="absent")


def _last_values(phq9: Sequence[Point], gad7: Sequence[Point], x: TimeScale, y: ValueScale) -> list[Markup]:
    """The last totals beside their dots, moved apart where the labels would overlap."""
    ends = [(name, have[-1]) for name, have in (("phq9", known(phq9)), ("gad7", known(gad7))) if have]
    heights = [y.y(end.total) + 4 for _, end in ends]
    if len(ends) == 2 and abs(heights[0] - heights[1]) < 14:
        upper = 0 if heights[0] <= heights[1] else 1
        heights[upper], heights[1 - upper] = heights[upper] - 7, heights[1 - upper] + 7
    return [
        group(name, words(x.x(end.at) + 8, height, str(end.total), "series-name"))
        for (name, end), height in zip(ends, heights, strict=True)
    ]


def legend(phq9: Sequence[Point], gad7: Sequence[Point], baseline: int | None = None) -> Markup:
    """Explains the lines and marks of the chart of these measures."""
    start = _start(phq9, baseline)
    entries = [
        (group(name, rule(0, 12, 26, 12, "line"), _dot(name, 13, 12, text)), text)
        for name, text, points in (("phq9", "PHQ-9", phq9), ("gad7", "GAD-7", gad7))
        if points
    ]
    if start is not None:
        entries.append((rule(0, 12, 26, 12, "baseline"), f"PHQ-9 baseline {start}"))
    if any(point.total is None for point in (*phq9, *gad7)):
        entries.append((element("path", d="M8 12 h10", class_="absent"), "no total (gap)"))
    return legend_of(entries)


def _start(phq9: Sequence[Point], baseline: int | None) -> int | None:
    return baseline if baseline is not None else next((point.total for point in known(phq9)), None)


def _described(name: str, points: Sequence[Point]) -> str:
    have = known(points)
    if not have:
        return f"{name}: no total." if points else ""
    totals = [point.total for point in have]
    absent = len(points) - len(have)
    said = f"{name}: {plural(len(have), 'total')}, {_moment(have[0])}"
    said += f" to {_moment(have[-1])}, lowest {min(totals)}, highest {max(totals)}" if len(have) > 1 else ""
    return said + (f"; {absent} without a total." if absent else ".")


def _moment(point: Known) -> str:
    return f"{point.total} on {day(point.at)}"
