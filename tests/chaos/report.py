"""A run's report: a line per window while it runs, tables and JSON at the end."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.figures import WindowResult
from tests.chaos.side_by_side import Compared

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def line(result: WindowResult) -> str:
    """One window as one line."""
    wrong = f"{len(result.violations)} VIOLATIONS" if result.violations else "ok"
    parts = [
        f"{result.number:3d}",
        f"{result.name:62.62s}",
        f"{result.played:5.1f} + {result.took - result.played:3.1f} s",
        _seconds("ready", result.ready),
    ]
    parts += [_seconds("effect", result.effect), _seconds("page", result.page)]
    parts += [f"{result.acknowledged}/{result.unknown}/{result.refused}", wrong, *result.notes]
    return "  ".join(parts)


def _seconds(what: str, value: float | None) -> str:
    return f"{what} {'–':>5s}" if value is None else f"{what} {value:5.1f}"


def where_time_went(compared: Compared) -> str:
    """Seconds of the disturbed run by purpose; the concurrent undisturbed run is reported separately."""
    played = sum(result.played for result in compared.hurt)
    checked = sum(result.took - result.played for result in compared.hurt)
    calm = sum(result.took for result in compared.calm)
    return (
        f"{compared.opened:.0f} s until both stacks were ready, {played:.0f} s of play, {checked:.0f} s of"
        f" checks; the undisturbed run beside it was at work for {calm:.0f} s"
    )


def not_reached(compared: Compared) -> str:
    """What the run did not test: faults it had no time for, and faults without effect."""
    names = [" + ".join(window.faults) or "none" for window in compared.not_reached]
    if compared.broken_off:
        names[0] += f" (begun, and {compared.last_words or 'broken off'})"
    idle = [f"{result.name} ({'; '.join(result.notes)})" for result in compared.hurt if result.struck_nothing]
    why = "the stack is stuck" if compared.is_stuck else "no time left"
    parts = [f"not reached, {why}: {', '.join(names)}"] if names else []
    parts += [f"struck nothing: {', '.join(idle)}"] if idle else []
    return "\n".join(parts) or "all faults were reached"


def summary(rounds: Sequence[Compared], took: float, found: int) -> str:
    """Summarise how many faults were played and how many violations were found."""
    hurt = [result for one in rounds for result in one.hurt if result.faults]
    left = sum(bool(window.faults) for one in rounds for window in one.not_reached)
    idle = sum(result.struck_nothing for result in hurt)
    return (
        f"{len(hurt)} of {len(hurt) + left} faults and pairs in {took:.0f} s"
        f" ({left} not reached, {idle} struck nothing): {found or 'no'} violation{'s' * (found > 1)}."
    )


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
    """Print the violations, at most `most`; return their number."""
    found = [(result, violation) for result in results for violation in result.violations]
    for result, violation in found[:most]:
        console.print(f"[red]{result.name}[/]: {violation.line}", soft_wrap=True, highlight=False)
    if len(found) > most:
        console.print(f"… and {len(found) - most} more; all of them are in the JSON")
    return len(found)


def document(path: Path, results: Sequence[WindowResult], summary: str) -> None:
    """Write the figures between the markers in a document."""
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
