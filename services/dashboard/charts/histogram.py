"""Histogram of durations: waiting times against their limit."""

from collections.abc import Sequence

from markupsafe import Markup

from services.dashboard.charts.svg import element, group, picture, plural, rule, words

Bin = tuple[float, float | None, int]
"""(from, to or `None` for an open end, count)"""

WIDTH, HEIGHT, LEFT, RIGHT, FOOT, HEAD = 540, 230, 16, 16, 40, 34


def histogram(
    bins: Sequence[Bin], unit: str, limit: float | None = None, title: str = "Waiting times"
) -> Markup:
    """Equally wide columns, each with its count; `limit` is drawn where a bin begins at or after it."""
    most = max([count for _, _, count in bins] + [1])
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(bins))
    drawn = [_column(one, LEFT + n * wide, wide, most, unit) for n, one in enumerate(bins)]
    drawn.append(rule(LEFT, HEIGHT - FOOT, WIDTH - RIGHT, HEIGHT - FOOT, "axis"))
    if limit is not None:
        drawn += _limit(bins, limit, wide)
    drawn.append(words(WIDTH / 2, HEIGHT - 4, unit, "middle"))
    said = "; ".join(f"{_range(one)} {unit}: {one[2]}" for one in bins) or "Nothing counted yet"
    said = f"{plural(sum(count for _, _, count in bins), 'case')}. {said}."
    return picture(WIDTH, HEIGHT, title, said, drawn, "chart chart-small")


def _column(one: Bin, x: float, wide: float, most: int, unit: str) -> Markup:
    tall = (HEIGHT - FOOT - HEAD - 18) * one[2] / most
    foot = HEIGHT - FOOT
    return group(
        "column",
        element("title", f"{_range(one)} {unit}: {one[2]}"),
        element("rect", x=x + 3, y=foot - tall, width=max(2.0, wide - 6), height=tall, rx=2, class_="bar"),
        words(x + wide / 2, foot - tall - 6, str(one[2]), "strong middle"),
        words(x + wide / 2, foot + 17, _range(one), "middle"),
    )


def _limit(bins: Sequence[Bin], limit: float, wide: float) -> list[Markup]:
    within = sum(1 for low, _, _ in bins if low < limit)
    x = LEFT + within * wide
    right = x > WIDTH / 2
    text = words(x - 6 if right else x + 6, 14, f"limit {limit:g}", "strong end" if right else "strong")
    return [rule(x, 4, x, HEIGHT - FOOT, "goal"), text]


def _range(one: Bin) -> str:
    low, high, _ = one
    return f"{low:g}–{high:g}" if high is not None else f"≥ {low:g}"
