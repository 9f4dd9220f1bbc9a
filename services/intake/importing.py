"""Convert lines of a file to rows for `POST /referrals/bulk`. Pure: the caller does all I/O.

Formats: `csv` (columns below, any order, all but `external_id` optional), `ndjson` (one `ImportRow`
per line, without `row`) and `nhanes` (the survey's own columns; PHQ-9, age and sex only).

An invalid row is still worth sending: the server refuses it with the same codes, but keeps its crisis
evidence. A `RowError` therefore has a document too. A line without a readable one is sent as its only field
besides the row number.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import ValidationError

from services.intake.domain.cssrs import QUESTIONS
from services.intake.domain.measures import nhanes_answer
from services.intake.domain.salvage import UNREADABLE_LINE
from services.intake.forms import ImportRow
from shared.tables import ROWS_IN_A_CELL, wrong_cells

Format = Literal["csv", "ndjson", "nhanes"]
FORMATS: tuple[Format, ...] = get_args(Format)
Document = dict[str, Any]

PHQ9_COLUMNS = [f"phq9_{n}" for n in range(1, 10)]
GAD7_COLUMNS = [f"gad7_{n}" for n in range(1, 8)]
CSSRS_COLUMNS = [f"cssrs_{question}" for question in QUESTIONS]
PERSON_COLUMNS = {
    "person_id": "external_id",
    "given_name": "given_name",
    "family_name": "family_name",
    "birth_date": "birth_date",
    "sex": "sex",
    "email": "email",
    "phone": "phone",
    "note": "note",
}
PLAIN_COLUMNS = ["clinic_id", "source_system", "external_id", "clinician_id"]
HISTORY_FLAGS = ["rapid_recurrence", "severe_episodes", "family_history", "residual_symptoms"]
COLUMNS = {
    *PLAIN_COLUMNS,
    *PERSON_COLUMNS,
    *PHQ9_COLUMNS,
    *GAD7_COLUMNS,
    *CSSRS_COLUMNS,
    *HISTORY_FLAGS,
    "age",
    "consent",
    "crisis",
    "phq9_difficulty",
    "episodes",
    "onset_age",
    "conditions",
}

NAME = re.compile(r"[a-z0-9_]+")

NHANES_ITEMS = [f"DPQ0{n}0" for n in range(1, 10)]
NHANES_COLUMNS = ["SEQN", "RIAGENDR", "RIDAGEYR", *NHANES_ITEMS, "DPQ100"]
NHANES_SYSTEM = "nhanes"
NHANES_SEX = {"1": "male", "2": "female"}


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row, as codes. `document`: what could be read of it, to be sent anyway."""

    row: int
    codes: tuple[str, ...]
    document: Document


class WrongColumns(ValueError):
    """The header does not fit the format. `missing`, `unknown` and `repeated` name columns."""

    def __init__(self, missing: list[str], unknown: list[str], repeated: list[str]) -> None:
        super().__init__("columns do not fit the format")
        self.missing, self.unknown, self.repeated = missing, unknown, repeated


class RepeatedField(ValueError):
    """An object names a field twice; parsing would keep one value and lose the other."""


def rows(lines: Iterable[str], format: Format) -> Iterator[tuple[int, ImportRow | RowError]]:
    """Rows numbered from 1 (header and empty lines not counted). Raises `WrongColumns`."""
    documents = {"csv": _csv, "ndjson": _ndjson, "nhanes": _nhanes}[format]
    for number, document in enumerate(documents(_without_mark(lines)), start=1):
        yield number, _row({**document, "row": number})


def document(row: ImportRow) -> Document:
    """The row as JSON for a request."""
    return row.model_dump(mode="json", exclude_unset=True)


def error_codes(error: ValidationError) -> tuple[str, ...]:
    """`field:code` for each error, without the input itself (so an unknown field stays unnamed).

    A field of a union type has one code, that of the last alternative. `too_short` is omitted for a list with
    an invalid member, because that member was not counted.
    """
    found = error.errors(include_input=False, include_url=False, include_context=False)
    codes = {_place(problem["loc"], problem["type"]): problem["type"] for problem in found}
    return tuple(
        f"{place}:{code}"
        for place, code in codes.items()
        if code != "too_short" or not any(other.startswith(f"{place}.") for other in codes)
    )


def _place(location: tuple[int | str, ...], kind: str) -> str:
    """The field's path, without an unknown field's name or the alternative tried (`constrained-int`)."""
    nameless = kind == "extra_forbidden" or not (location and NAME.fullmatch(str(location[-1])))
    return ".".join(str(part) for part in (location[:-1] if nameless else location)) or "row"


def unreadable(row: object) -> str | None:
    """The code of a row that may contain other rows, or that is a line without a readable document."""
    if not isinstance(row, dict):
        return None
    if row.get("cells") == ROWS_IN_A_CELL:
        return ROWS_IN_A_CELL
    line = row.get(UNREADABLE_LINE)
    found = None if line is None else _parsed(line)
    return found if isinstance(found, str) else None


def _row(document: Document) -> ImportRow | RowError:
    number = document["row"]
    if (code := unreadable(document)) is not None:
        return RowError(number, (code,), document)
    try:
        return ImportRow.model_validate_json(json.dumps(document))
    except ValidationError as error:
        return RowError(number, error_codes(error), document)


def _ndjson(lines: Iterable[str]) -> Iterator[Document]:
    for line in lines:
        if line.strip():
            found = _parsed(line)
            yield {UNREADABLE_LINE: line.strip()} if isinstance(found, str) else found


def _parsed(line: object) -> Document | str:
    """The document of a line, or the code for why there is none."""
    try:
        found = json.loads(str(line), object_pairs_hook=_object)
    except RepeatedField:
        return "repeated_field"
    except (ValueError, RecursionError):
        return "not_json"
    return found if isinstance(found, dict) else "not_an_object"


def _object(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RepeatedField
    return found


def _csv(lines: Iterable[str]) -> Iterator[Document]:
    return _table(lines, required=["external_id"], known=COLUMNS, read=_generic)


def _nhanes(lines: Iterable[str]) -> Iterator[Document]:
    return _table(lines, required=NHANES_COLUMNS, known=set(NHANES_COLUMNS), read=_respondent)


def _table(
    lines: Iterable[str], *, required: list[str], known: set[str], read: Callable[[dict[str, str]], Document]
) -> Iterator[Document]:
    table = csv.DictReader(lines, restkey="", restval=None)
    header = [name.strip() for name in table.fieldnames or []]
    missing, unknown = [n for n in required if n not in header], [n for n in header if n not in known]
    repeated = sorted({name for name in known if header.count(name) > 1})
    if missing or unknown or repeated:
        raise WrongColumns(missing, unknown, repeated)
    table.fieldnames = header
    for cells in table:
        more = cells.pop("", [])
        wrong = wrong_cells([*cells.values(), *more], len(header))
        document = read({name: str(cell or "").strip() for name, cell in cells.items()})
        yield {**document, "cells": wrong} if wrong else document


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """Remove the byte order mark with which spreadsheets begin UTF-8 files."""
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


def _generic(cells: dict[str, str]) -> Document:
    """A row of the generic columns. An empty cell is absent; an unreadable one is passed on unchanged."""
    filled = {name: cell for name, cell in cells.items() if cell}
    row: Document = {name: filled[name] for name in PLAIN_COLUMNS if name in filled}
    row["person"] = {field: filled[name] for name, field in PERSON_COLUMNS.items() if name in filled}
    for name, read in (("age", _number), ("consent", _truth), ("crisis", _truth)):
        if name in filled:
            row[name] = read(filled[name])
    return row | _part("history", _history(filled)) | _part("screening", _screening(filled))


def _part(name: str, content: Document) -> Document:
    return {name: content} if content else {}


def _history(cells: dict[str, str]) -> Document:
    numbers: Document = {name: _number(cells[name]) for name in ("episodes", "onset_age") if name in cells}
    flags = {name: _truth(cells[name]) for name in HISTORY_FLAGS if name in cells}
    found: Document = {**numbers, **flags}
    if "conditions" in cells:
        found["conditions"] = re.split(r"[\s;,]+", cells["conditions"])
    return found


def _screening(cells: dict[str, str]) -> Document:
    found: Document = {}
    if any(name in cells for name in [*PHQ9_COLUMNS, "phq9_difficulty"]):
        found["phq9"] = {"items": _answers(cells, PHQ9_COLUMNS)}
        if "phq9_difficulty" in cells:
            found["phq9"]["difficulty"] = _number(cells["phq9_difficulty"])
    if any(name in cells for name in GAD7_COLUMNS):
        found["gad7"] = {"items": _answers(cells, GAD7_COLUMNS)}
    if answered := [name for name in CSSRS_COLUMNS if name in cells]:
        found["cssrs"] = {name.removeprefix("cssrs_"): _truth(cells[name]) for name in answered}
    return found


def _answers(cells: dict[str, str], columns: list[str]) -> list[Any]:
    return [_number(cells[name]) if name in cells else None for name in columns]


def _number(cell: str) -> int | str:
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else cell


def _truth(cell: str) -> bool | str:
    word = cell.lower()
    if word in {"yes", "true", "y", "1"}:
        return True
    return False if word in {"no", "false", "n", "0"} else cell


def _respondent(cells: dict[str, str]) -> Document:
    """A respondent's row. The survey asks for no C-SSRS and no consent, so those stay missing."""
    phq9: Document = {"items": [nhanes_answer(cells[name]) for name in NHANES_ITEMS]}
    if cells["DPQ100"]:
        phq9["difficulty"] = nhanes_answer(cells["DPQ100"])
    return {
        "source_system": NHANES_SYSTEM,
        "external_id": cells["SEQN"],
        "person": {
            "external_id": f"{NHANES_SYSTEM}-{cells['SEQN']}",
            "sex": NHANES_SEX.get(cells["RIAGENDR"], cells["RIAGENDR"]),
        },
        "age": _number(cells["RIDAGEYR"]),
        "screening": {"phq9": phq9},
    }
