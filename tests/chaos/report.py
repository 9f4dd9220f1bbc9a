"""What a run shows: a line for each window while it runs, tables and JSON at the end."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.figures import WindowResult

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def line(result: WindowResult) -> str:
    """One window, in one line."""
    wrong = f"{len(result.violations)} VIOLATIONS" if result.violations else "ok"
    parts = [
        f"{result.number:3d}",
        f"{result.name:62.62s}",
        f"{result.took:5.1f} s",
        _seconds("ready", result.ready),
    ]
    parts += [_seconds("effect", result.effect), _seconds("page", result.page)]
    parts += [f"{result.acknowledged}/{result.unknown}/{result.refused}", wrong, *result.notes]
    return "  ".join(parts)


def _seconds(what: str, value: float | None) -> str:
    return f"{what} {'–':>5s}" if value is None else f"{what} {value:5.1f}"


def table(results: Sequence[WindowResult]) -> Table:
    shown = Table(title="Faults", title_justify="left", title_style="bold")
    shown.add_column("fault", overflow="fold")
    for column in (
        "at, s",
        "ready, s",
        "effect, s",
        "page, s",
        "acknowledged",
        "unknown",
        "refused",
        "violations",
    ):
        shown.add_column(column, justify="right")
    for result in results:
        cells = [_cell(v) for v in (result.struck, result.ready, result.effect, result.page)]
        counts = [result.acknowledged, result.unknown, result.refused, len(result.violations)]
        notes = f"\n({'; '.join(result.notes)})" if result.notes else ""
        style = "red" if result.violations else ""
        shown.add_row(result.name + notes, *cells, *(str(count) for count in counts), style=style)
    return shown


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def violations(console: Console, results: Sequence[WindowResult], most: int = 25) -> int:
    """Print what was found, and how much."""
    found = [(result, violation) for result in results for violation in result.violations]
    for result, violation in found[:most]:
        console.print(f"[red]{result.name}[/]: {violation.line}", soft_wrap=True, highlight=False)
    if len(found) > most:
        console.print(f"… and {len(found) - most} more; all of them are in the JSON")
    return len(found)


def document(path: Path, results: Sequence[WindowResult], summary: str) -> None:
    """Write the figures between the marks of a document."""
    head = "| fault | ready, s | effect, s | page, s | acknowledged / unknown / refused | violations |\n"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: |\n"]
    for result in results:
        cells = [_cell(value) for value in (result.ready, result.effect, result.page)]
        counts = f"{result.acknowledged} / {result.unknown} / {result.refused}"
        notes = f" ({'; '.join(result.notes)})" if result.notes else ""
        lines.append(
            f"| {result.name}{notes} | {' | '.join(cells)} | {counts} | {len(result.violations)} |\n"
        )
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{summary}\n\n{''.join(lines)}{END}{rest.partition(END)[2]}")


def save(path: Path, results: Sequence[WindowResult], **facts: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(result) for result in results]
    path.write_text(json.dumps({**facts, "windows": rows}, indent=1, default=str) + "\n")
