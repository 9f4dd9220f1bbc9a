"""A benchmark's result: sides with their rounds, ratios with their goals; printed, and saved as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.statistics import Figure, figure

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Side:
    """One contender. `rounds`: each round's values by measure. `note`: its guarantees."""

    name: str
    note: str
    rounds: Sequence[Mapping[str, float]]

    def of(self, measure: str) -> list[float]:
        return [round[measure] for round in self.rounds]

    def figures(self) -> dict[str, Figure]:
        return {measure: figure(self.of(measure)) for measure in (self.rounds[0] if self.rounds else {})}


@dataclass(frozen=True)
class Ratio:
    """One figure with its goal. Without a `goal` it is reported, not judged."""

    name: str
    value: Figure
    better: Better
    goal: float | None = None
    moonshot: float | None = None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if self._reaches(self.moonshot):
            return "moonshot met"
        return "met" if self._reaches(self.goal) else "missed"

    def _reaches(self, mark: float | None) -> bool:
        if mark is None:
            return False
        return self.value.median >= mark if self.better == "higher" else self.value.median <= mark

    @property
    def asked(self) -> str:
        """The goal as text."""
        if self.goal is None:
            return ""
        sign = "≥" if self.better == "higher" else "≤"
        moonshot = f", moonshot {sign} {self.moonshot:g}" if self.moonshot is not None else ""
        return f"{sign} {self.goal:g}{moonshot}"


@dataclass(frozen=True)
class Result:
    """The chart shows `measure`, in `unit`. The first `ours` sides are Kith."""

    benchmark: str
    title: str
    measure: str
    unit: str
    sides: Sequence[Side]
    ratios: Sequence[Ratio]
    facts: Mapping[str, Any] = field(default_factory=dict)
    ours: int = 1

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "sides": [{**asdict(side), "figures": _plain(side.figures())} for side in self.sides],
            "ratios": [{**asdict(r), "asked": r.asked, "verdict": r.verdict} for r in self.ratios],
        }

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.benchmark}.json"
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n")


def _plain(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: asdict(value) for name, value in figures.items()}


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A text table with columns as wide as their widest cell: the first left-aligned, the others right."""
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    lines = [_line(headers, widths), "  ".join("─" * width for width in widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    padded = [
        first.ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
    ]
    return "  ".join(padded).rstrip()


def _by_note(sides: Sequence[Side]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for side in sides:
        found.setdefault(side.note, []).append(side.name)
    return found


def printed(result: Result) -> str:
    """The whole result as text: sides by measure, ratios against goals, notes."""
    measures = list(dict.fromkeys(m for side in result.sides for m in side.figures()))
    sides = [
        [side.name, *(str(side.figures()[m]) if m in side.figures() else "" for m in measures)]
        for side in result.sides
    ]
    ratios = [[ratio.name, str(ratio.value), ratio.asked, ratio.verdict] for ratio in result.ratios]
    notes = [f"  {', '.join(names)}: {note}" for note, names in _by_note(result.sides).items() if note]
    facts = [f"  {name}: {value}" for name, value in result.facts.items()]
    parts = [result.title, table(["side", *measures], sides)]
    if ratios:
        parts.append(table(["ratio", "median [range]", "goal", ""], ratios))
    return "\n\n".join([*parts, "\n".join([*notes, *facts])]) + "\n"
