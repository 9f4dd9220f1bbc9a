"""Converts a part of a file to rows for intake's bulk import. Pure: nothing of the file is stored.

The columns are those of `kith import`. An invalid row is passed on as it was read: intake refuses it, but
still detects signs of a crisis in it.
"""

import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Literal

from services.dashboard.pages.instruments import CSSRS_QUESTIONS
from services.dashboard.pages.intake.form import PERSON_TEXTS
from services.dashboard.pages.intake.words import HISTORY_FLAGS
from shared.tables import ROWS_IN_A_CELL, wrong_cells

Format = Literal["csv", "ndjson"]
Document = dict[str, Any]
Cells = dict[str, str]

PHQ9 = [f"phq9_{number}" for number in range(1, 10)]
GAD7 = [f"gad7_{number}" for number in range(1, 8)]
CSSRS = {f"cssrs_{question}": question for question in CSSRS_QUESTIONS}
PERSON = {("person_id" if name == "external_id" else name): name for name in PERSON_TEXTS}
PLAIN = ("clinic_id", "source_system", "external_id", "clinician_id")
READ = ("age", "consent", "crisis", "phq9_difficulty", "episodes", "onset_age", "conditions")
COLUMNS = frozenset({*PLAIN, *PERSON, *PHQ9, *GAD7, *CSSRS, *HISTORY_FLAGS, *READ})

MAX_DEPTH = 32
INT64 = range(-(2**63), 2**63)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
NEVER_VALID: list[object] = [{}]
"""Replaces a value that no request may contain, so that only its own row is refused."""


class Unusable(Exception):
    """The file cannot be read as it is. `said`: what to do about it, without repeating file content."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass
class Part:
    """`rows`: the rows to send. `wrong`: error codes by row number. `count`: number of rows read."""

    rows: list[Document] = field(default_factory=list)
    wrong: dict[int, tuple[str, ...]] = field(default_factory=dict)
    count: int = 0


def read_part(text: str, format: Format, *, header: str = "", first: int = 1) -> Part:
    """Read rows, numbered from `first`. `header` is the first line of a table. Raises `Unusable`."""
    part = Part()
    documents = _objects(text) if format == "ndjson" else _table(header, text)
    for number, document in enumerate(documents, start=first):
        part.count += 1
        if "cells" in document and format == "csv":
            code = document["cells"]
            part.wrong[number] = (code if code == ROWS_IN_A_CELL else f"cells:{code}",)
        part.rows.append({**sendable(document), "row": number})
    return part


def _objects(text: str) -> Iterator[Document]:
    """One object per line. A line that is not one is sent as it is: intake refuses it, and checks it for a
    crisis."""
    for line in StringIO(text.removeprefix("\ufeff"), newline=""):
        if not line.strip():
            continue
        try:
            parsed = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError):
            parsed = None
        yield parsed if isinstance(parsed, dict) else {"unreadable_line": line.strip()}


def _object(pairs: list[tuple[str, Any]]) -> Document:
    """Raises `ValueError` for a repeated field, of which only one value would be kept."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)


def _table(header: str, text: str) -> Iterator[Document]:
    names = _names(header)
    table = csv.DictReader(StringIO(text, newline=""), names, restkey="", restval=None, strict=True)
    try:
        for cells in table:
            more = cells.pop("", [])
            wrong = wrong_cells([*cells.values(), *more], len(names))
            row = _row({name: str(cell or "").strip() for name, cell in cells.items()})
            yield {**row, "cells": wrong} if wrong else row
    except csv.Error:
        raise Unusable(
            "A quote is not closed, or a cell is too long: mend the file and begin again."
        ) from None


def _names(header: str) -> list[str]:
    """The column names. Raises `Unusable`; unknown columns are counted but not shown, as they may be data."""
    try:
        names = [name.strip() for name in next(csv.reader([header.removeprefix("\ufeff")], strict=True), [])]
    except csv.Error:
        names = []
    unknown = sum(name not in COLUMNS for name in names)
    if "external_id" not in names:
        raise Unusable("The first line has to name the columns, external_id among them.")
    if unknown:
        raise Unusable(f"{unknown} of the columns in the first line are not known; see the list of columns.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise Unusable(f"The first line names {', '.join(repeated)} more than once: keep one column of each.")
    return names


def _row(cells: Cells) -> Document:
    """Convert a table's row. An empty cell is left out; an unreadable one is kept as it is."""
    filled = {name: cell for name, cell in cells.items() if cell}
    row: Document = {name: filled[name] for name in PLAIN if name in filled}
    row["person"] = {known: filled[name] for name, known in PERSON.items() if name in filled}
    for name, read in (("age", _number), ("consent", _truth), ("crisis", _truth)):
        if name in filled:
            row[name] = read(filled[name])
    parts = {"history": _history(filled), "screening": _screening(filled)}
    return row | {name: part for name, part in parts.items() if part}


def _history(cells: Cells) -> Document:
    found: Document = {name: _number(cells[name]) for name in ("episodes", "onset_age") if name in cells}
    found |= {name: _truth(cells[name]) for name in HISTORY_FLAGS if name in cells}
    if "conditions" in cells:
        found["conditions"] = re.split(r"[\s;,]+", cells["conditions"])
    return found


def _screening(cells: Cells) -> Document:
    found: Document = {}
    if any(name in cells for name in (*PHQ9, "phq9_difficulty")):
        found["phq9"] = {"items": _answers(cells, PHQ9)}
        if "phq9_difficulty" in cells:
            found["phq9"]["difficulty"] = _number(cells["phq9_difficulty"])
    if any(name in cells for name in GAD7):
        found["gad7"] = {"items": _answers(cells, GAD7)}
    if answered := {question: _truth(cells[name]) for name, question in CSSRS.items() if name in cells}:
        found["cssrs"] = answered
    return found


def _answers(cells: Cells, columns: list[str]) -> list[Any]:
    return [_number(cells[name]) if name in cells else None for name in columns]


def _number(cell: str) -> int | str:
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else cell


def _truth(cell: str) -> bool | str:
    word = cell.lower()
    if word in {"yes", "true", "y", "1"}:
        return True
    return False if word in {"no", "false", "n", "0"} else cell


def sendable(value: Any, depth: int = 0) -> Any:
    """The value with parts that strict JSON or the store cannot hold replaced by a value that is refused."""
    if depth > MAX_DEPTH:
        return NEVER_VALID
    match value:
        case dict():
            return {UNSTORABLE.sub("*", name): sendable(part, depth + 1) for name, part in value.items()}
        case list():
            return [sendable(part, depth + 1) for part in value]
        case str():
            return NEVER_VALID if UNSTORABLE.search(value) else value
        case float():
            return value if math.isfinite(value) else NEVER_VALID
        case int():
            return value if value in INT64 else NEVER_VALID
    return value
