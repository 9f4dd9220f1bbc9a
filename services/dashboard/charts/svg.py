"""Builds SVG with escaped attributes and text. Uses no `style`, so a strict content policy allows it."""

from collections.abc import Iterable
from datetime import datetime

from markupsafe import Markup, escape

Number = float | int


def element(name: str, *children: str, **attributes: str | Number) -> Markup:
    """`element("rect", x=1, class_="bar")`: a trailing `_` is dropped, others become `-`. Escapes values."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items()
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>")  # noqa: S704 - every part above is escaped


def picture(
    width: Number, height: Number, title: str, described: str, body: Iterable[Markup], class_: str
) -> Markup:
    """One accessible image. `title` names it, `described` says in words what it shows."""
    return element(
        "svg",
        element("title", title),
        element("desc", described),
        *body,
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        width=width,
        height=height,
        role="img",
        class_=class_,
    )


def legend(entries: Iterable[tuple[Markup, str]]) -> Markup:
    """A legend as text that wraps beside a scrolling picture. Each mark is drawn in 26 by 24."""
    return element("p", *(_entry(mark, text) for mark, text in entries), class_="chart-legend")


def _entry(mark: Markup, text: str) -> Markup:
    drawn = element(
        "svg", mark, viewBox="0 0 26 24", width=26, height=24, aria_hidden="true", class_="chart legend-mark"
    )
    return element("span", drawn, text)


def group(class_: str, *children: Markup) -> Markup:
    return element("g", *children, class_=class_)


def words(x: Number, y: Number, text: str, class_: str = "") -> Markup:
    return element("text", text, x=x, y=y, class_=class_) if class_ else element("text", text, x=x, y=y)


def rule(x1: Number, y1: Number, x2: Number, y2: Number, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Iterable[tuple[Number, Number]], class_: str) -> Markup:
    steps = " L".join(f"{_short(x)} {_short(y)}" for x, y in points)
    return element("path", d=f"M{steps}", class_=class_)


def day(at: datetime, year: bool = True) -> str:
    """`3 Mar 2026`, without a leading zero, in the zone the instant carries."""
    return f"{at.day} {at:%b}" + (f" {at.year}" if year else "")


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _short(value: str | Number) -> str:
    """Numbers with at most one decimal: a tenth of a pixel is finer than any screen."""
    return value if isinstance(value, str) else f"{round(value, 1):g}" if abs(value) < 1e5 else f"{value:.0f}"
