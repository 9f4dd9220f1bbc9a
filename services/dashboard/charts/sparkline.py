"""PHQ-9 as a chart the size of a word."""

from collections.abc import Sequence

from markupsafe import Markup

from services.dashboard.charts.points import Point, known, ordered, runs
from services.dashboard.charts.scale import TimeScale, ValueScale
from services.dashboard.charts.svg import element, path, picture, plural, rule, words

__all__ = ["Point", "sparkline"]

WIDTH, HEIGHT, INSET = 96, 24, 4
"""INSET is the room that the last dot needs on either side."""


def sparkline(points: Sequence[Point], baseline: int | None = None) -> Markup:
    """PHQ-9 totals (0–27) in 96×24: a missing total is a gap, the last is marked, the baseline is dashed.

    `baseline` is the first known total unless given.
    """
    have = known(points)
    start = baseline if baseline is not None else have[0].total if have else None
    y = ValueScale(27, HEIGHT - 2, 2)
    body = [rule(0, HEIGHT - 1, WIDTH, HEIGHT - 1, "ground")]
    if not have or start is None:
        return picture(WIDTH, HEIGHT, "No PHQ-9 yet", "", [*body, words(0, 15, "no measure")], "sparkline")
    every = ordered(points)
    x = TimeScale(every[0].at, every[-1].at, INSET, WIDTH - INSET)
    body.append(rule(0, y.y(start), WIDTH, y.y(start), "baseline"))
    for run in runs(points):
        places = [(x.x(at), y.y(total)) for at, total in run]
        body.append(path(places, "line") if len(run) > 1 else _dot(*places[0], 1.5))
    body.append(_dot(x.x(have[-1].at), y.y(have[-1].total), 3.5))
    return picture(WIDTH, HEIGHT, _title(start, have[-1].total), _described(points), body, "sparkline")


def _dot(x: float, y: float, r: float) -> Markup:
    return element("circle", cx=x, cy=y, r=r, class_="dot")


def _title(start: int, last: int) -> str:
    change = "no change" if last == start else f"{abs(last - start)} {'lower' if last < start else 'higher'}"
    return f"PHQ-9 from {start} to {last}, {change}"


def _described(points: Sequence[Point]) -> str:
    absent = len(points) - len(known(points))
    return plural(len(points), "measure") + (f", {absent} without a total" if absent else "")
