"""One chart per benchmark: a bar per side with the range of its rounds, as SVG."""

from html import escape
from pathlib import Path

from benchmarks.results import Result
from benchmarks.statistics import Figure, short

WIDTH, LEFT, RIGHT, ROW, TOP, BAR = 860, 250, 150, 40, 62, 20
OURS, THEIRS, INK, PALE = "#1f6f8b", "#b9c4c9", "#1d2529", "#6b7880"
FONT = "font-family='system-ui, sans-serif'"


def svg(result: Result) -> str:
    """Bars of the result's main measure, with the ratios and goals below."""
    bars = [(side.name, side.figures()[result.measure]) for side in result.sides if side.rounds]
    most = max((figure.high for _, figure in bars), default=1.0) or 1.0
    lines = [" · ".join(filter(None, (f"{r.name}: {r.value}", r.asked, r.verdict))) for r in result.ratios]
    under = TOP + ROW * len(bars) + 26
    height = under + 20 * len(lines) + 14
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' "
        f"height='{height}' role='img' aria-label='{escape(result.title, quote=True)}'>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(16, 26, result.title, size=16, weight=600),
        _text(16, 46, caption(result), colour=PALE),
        *(
            part
            for row, (name, figure) in enumerate(bars)
            for part in _bar(row, name, figure, most, OURS if row < result.ours else THEIRS)
        ),
        *(_text(16, under + 20 * i, line) for i, line in enumerate(lines)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def caption(result: Result) -> str:
    """The bars' measure and the size of the run."""
    facts = result.facts
    of = f"; {facts['size']} size, rounds: {facts['rounds']}" if "size" in facts else ""
    return f"{result.measure} ({result.unit}); median, line: range of the rounds{of}"


def _bar(row: int, name: str, figure: Figure, most: float, colour: str) -> list[str]:
    y, scale = TOP + ROW * row, (WIDTH - LEFT - RIGHT) / most
    middle = y + BAR / 2
    low, high = LEFT + figure.low * scale, LEFT + figure.high * scale
    width = max(1.0, figure.median * scale)
    whisker = f"M{low:.1f} {middle - 4:.1f}v8m0 -4H{high:.1f}m0 -4v8"
    return [
        _text(LEFT - 10, middle + 4, name, anchor="end"),
        f"<rect x='{LEFT}' y='{y}' width='{width:.1f}' height='{BAR}' fill='{colour}'/>",
        f"<path d='{whisker}' stroke='{INK}' stroke-width='1.5' fill='none'/>",
        _text(max(high, LEFT + figure.median * scale) + 8, middle + 4, short(figure.median)),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: int = 400,
    anchor: str = "start",
    colour: str = INK,
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}' fill='{colour}'>{escape(text)}</text>"
    )


def save(result: Result, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result.benchmark}.svg").write_text(svg(result))
