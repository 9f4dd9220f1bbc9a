"""Draws a dashboard as one SVG: three panels a row as in Grafana's grid, with units, limits and legends."""

import math
import time
from collections.abc import Callable, Sequence
from html import escape

from deploy.observability.asking import Line, Span
from deploy.observability.panels import Panel

ABREAST = 3
WIDE, TALL, GAP, HEAD = 470, 330, 14, 62
LEFT, RIGHT, TOP, PLOT = 62, 16, 52, 150
"""Within a panel: left, right and top margins, and the plot's height."""

LEGEND_ROWS, LEGEND_COLUMNS = 5, 2
LETTERS = 34
"""Longest legend in characters."""

INK, PALE, RULE, GROUND, PAPER, LIMIT = "#1d2529", "#6b7880", "#e3e8ea", "#f4f6f7", "#ffffff", "#c0392b"
COLOURS = ("#1f6f8b", "#d1782b", "#5a8f3c", "#8a4f9e", "#b0413e", "#3d5a98", "#8c7a2b", "#2f8f83", "#6b7880")
FONT = "font-family='system-ui, DejaVu Sans, sans-serif'"
BROKEN = 1.5
"""A line is broken where points are more than this many steps apart."""

Drawn = tuple[Panel, Sequence[Line]]


def dashboard(title: str, panels: Sequence[Drawn], span: Span) -> str:
    rows = -(-len(panels) // ABREAST)
    width = ABREAST * WIDE + (ABREAST + 1) * GAP
    height = HEAD + rows * (TALL + GAP)
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
            f"height='{height}' role='img' aria-label='{escape(title, quote=True)}'>",
            f"<rect width='{width}' height='{height}' fill='{GROUND}'/>",
            _text(GAP, 28, title, size=19, weight=600),
            _text(GAP, 50, _told(span), colour=PALE),
            *(_placed(number, drawn, span) for number, drawn in enumerate(panels)),
            "</svg>\n",
        ]
    )


def _told(span: Span) -> str:
    first, last = (time.strftime("%H:%M:%S", time.gmtime(at)) for at in (span.start, span.end))
    day = time.strftime("%Y-%m-%d", time.gmtime(span.end))
    return (
        f"{day}, {first} to {last} UTC, a point every {span.step:g} s; drawn from the dashboard's own queries"
    )


def _placed(number: int, drawn: Drawn, span: Span) -> str:
    x = GAP + number % ABREAST * (WIDE + GAP)
    y = HEAD + number // ABREAST * (TALL + GAP)
    return f"<g transform='translate({x} {y})'>{''.join(_panel(*drawn, span))}</g>"


def _panel(panel: Panel, lines: Sequence[Line], span: Span) -> list[str]:
    frame = f"<rect width='{WIDE}' height='{TALL}' rx='5' fill='{PAPER}' stroke='{RULE}'/>"
    parts = [frame, _text(14, 25, panel.title, size=14, weight=600)]
    lines = [line for line in lines if line.points]
    if not lines:
        return [*parts, _text(WIDE / 2, TOP + PLOT / 2, "No data", anchor="middle", colour=PALE, size=15)]
    plot = Plot(panel, lines, span)
    return [*parts, *plot.axes(), *plot.curves(), *plot.limit(), *_legend(lines)]


class Plot:
    """The scales of one panel: time to x, values from 0 to y."""

    def __init__(self, panel: Panel, lines: Sequence[Line], span: Span) -> None:
        self._panel, self._lines, self._span = panel, lines, span
        most = max(value for line in lines for _, value in line.points)
        most = most or panel.limit or 1.0
        size = next((size for _, size in TIMES if panel.unit == "s" and most >= 2 * size), 1.0)
        self._step, self._most = (size * part for part in ticks(most / size))

    def x(self, at: float) -> float:
        share = (at - self._span.start) / (self._span.end - self._span.start)
        return LEFT + share * (WIDE - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + PLOT * (1 - min(max(value, 0.0), self._most) / self._most)

    def axes(self) -> list[str]:
        show, parts = UNITS[self._panel.unit], []
        for number in range(round(self._most / self._step) + 1):
            value = number * self._step
            parts += [
                f"<path d='M{LEFT} {self.y(value):.1f}H{WIDE - RIGHT}' stroke='{RULE}'/>",
                _text(LEFT - 7, self.y(value) + 4, show(value), anchor="end", colour=PALE, size=11),
            ]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            at = self._span.start + share * (self._span.end - self._span.start)
            clock = time.strftime("%H:%M:%S", time.gmtime(at))
            anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
            parts.append(_text(self.x(at), TOP + PLOT + 17, clock, anchor=anchor, colour=PALE, size=11))
        return parts

    def limit(self) -> list[str]:
        """The alert rule's threshold as a line, or as text if it lies above the plot."""
        limit = self._panel.limit
        if limit is None:
            return []
        y, told = self.y(limit), f"limit {UNITS[self._panel.unit](limit)}"
        if limit > self._most:
            return [_text(WIDE - RIGHT, TOP - 4, f"{told} ↑", anchor="end", colour=LIMIT, size=11)]
        return [
            f"<path d='M{LEFT} {y:.1f}H{WIDE - RIGHT}' stroke='{LIMIT}' stroke-dasharray='6 4'/>",
            _text(WIDE - RIGHT, y - 4, told, anchor="end", colour=LIMIT, size=11, halo=True),
        ]

    def curves(self) -> list[str]:
        return [self._curve(line, _colour(number)) for number, line in enumerate(self._lines)]

    def _curve(self, line: Line, colour: str) -> str:
        near, path, last = BROKEN * self._span.step, "", float("-inf")
        for at, value in line.points:
            path += f"{'L' if at - last <= near else 'M'}{self.x(at):.1f} {self.y(value):.1f}"
            last = at
        return (
            f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='1.6' "
            "stroke-linejoin='round' stroke-linecap='round'/>"
        )


def ticks(most: float) -> tuple[float, float]:
    """The scale's step (1, 2 or 5 times a power of ten) and its end, at most five steps away."""
    wanted = max(most, 1e-6) / 4
    power = 10.0 ** _exponent(wanted)
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted * 0.999)
    return step, step * max(1, math.ceil(most / step - 1e-9))


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _legend(lines: Sequence[Line]) -> list[str]:
    """As many legends as fit, and the number of the rest."""
    room = LEGEND_ROWS * LEGEND_COLUMNS
    shown = lines if len(lines) <= room else lines[: room - 1]
    parts = []
    for number, line in enumerate(shown):
        x, y = _place_in_legend(number)
        said = line.legend if len(line.legend) <= LETTERS else line.legend[: LETTERS - 1] + "…"
        parts.append(f"<rect x='{x}' y='{y - 7}' width='12' height='4' rx='2' fill='{_colour(number)}'/>")
        parts.append(_text(x + 18, y, said, size=11))
    if len(shown) < len(lines):
        x, y = _place_in_legend(len(shown))
        parts.append(_text(x + 18, y, f"and {len(lines) - len(shown)} more", size=11, colour=PALE))
    return parts


def _place_in_legend(number: int) -> tuple[float, float]:
    column, row = divmod(number, LEGEND_ROWS)
    return 16 + column * (WIDE - 32) / LEGEND_COLUMNS, TOP + PLOT + 40 + row * 17


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: int = 400,
    anchor: str = "start",
    colour: str = INK,
    halo: bool = False,
) -> str:
    """`halo` keeps the text readable over lines."""
    apart = f" paint-order='stroke' stroke='{PAPER}' stroke-width='4'" if halo else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}' fill='{colour}'{apart}>{escape(text)}</text>"
    )


TIMES = (("h", 3600.0), ("min", 60.0), ("s", 1.0))


def seconds(value: float) -> str:
    """`250 ms`, `5 s`, `3 min`, `2 h`."""
    if value == 0:
        return "0"
    unit, size = next(((unit, size) for unit, size in TIMES if value >= size), ("ms", 0.001))
    return f"{value / size:.3g} {unit}"


def short(value: float) -> str:
    return f"{value / 1000:g} k" if value >= 10_000 else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


UNITS: dict[str, Callable[[float], str]] = {
    "short": short,
    "s": seconds,
    "ops": lambda value: f"{short(value)} /s",
    "reqps": lambda value: f"{short(value)} /s",
    "percentunit": lambda value: f"{value * 100:.3g} %",
}
"""Grafana's name of a unit → the formatter of its values."""
