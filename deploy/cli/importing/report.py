"""The report of rows to correct, as a table: row, code, advice. It holds none of the rows' content."""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.intake.importing import (
    CSSRS_COLUMNS,
    GAD7_COLUMNS,
    NHANES_ITEMS,
    PERSON_COLUMNS,
    PHQ9_COLUMNS,
    Format,
)
from shared import import_advice

HEADER = ("row", "code", "what to mend")


def is_report(path: Path) -> bool:
    """True if the file is a report of an earlier run (or empty) and may be replaced. Raises `OSError`."""
    with path.open("rb") as file:
        return file.readline().strip() in (b"", ",".join(HEADER).encode())


def write(path: Path, errors: Mapping[int, tuple[str, ...]], format: Format) -> None:
    """Write the whole report atomically, replacing an earlier one."""
    draft = path.with_name(path.name + ".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for row, codes in sorted(errors.items()):
            table.writerows((row, shown(code), advice(code, format)) for code in codes)
    draft.replace(path)


def shown(code: str) -> str:
    return import_advice.shown(code, names())


def advice(code: str, format: Format) -> str:
    path, _, problem = shown(code).rpartition(":")
    if path == "cells":
        problem = "wrong_number"
    named = column(path, format) or "the row"
    return import_advice.advice(path, problem, named, answers_in_words=format != "nhanes")


def column(path: str, format: Format) -> str:
    """The field's column name in the file; empty for the row as a whole."""
    if path == "row":
        return ""
    if format == "ndjson":
        return path
    known = _columns(format).get(path)
    return known or import_advice.without_place(path).removeprefix("person.").removeprefix("history.")


@cache
def _columns(format: Format) -> dict[str, str]:
    if format == "nhanes":
        items = {f"screening.phq9.items.{place}": name for place, name in enumerate(NHANES_ITEMS)}
        named = {"external_id": "SEQN", "person.sex": "RIAGENDR", "age": "RIDAGEYR"}
        return items | named | {"screening.phq9.difficulty": "DPQ100"}
    answers = {"phq9": PHQ9_COLUMNS, "gad7": GAD7_COLUMNS}
    items = {
        f"screening.{instrument}.items.{place}": name
        for instrument, columns in answers.items()
        for place, name in enumerate(columns)
    }
    cssrs = {f"screening.cssrs.{name.removeprefix('cssrs_')}": name for name in CSSRS_COLUMNS}
    person = {f"person.{field}": name for name, field in PERSON_COLUMNS.items()}
    return items | cssrs | person | {"screening.phq9.difficulty": "phq9_difficulty"}


@cache
def names() -> frozenset[str]:
    """Every field that a row may have."""
    from services.intake.forms import ImportRow

    found, rest = {"cells"}, [ImportRow.model_json_schema()]
    while rest:
        node: Any = rest.pop()
        if isinstance(node, dict):
            rest.extend(node.values())
            if isinstance(node.get("properties"), dict):
                found.update(node["properties"])
        elif isinstance(node, list):
            rest.extend(node)
    return frozenset(found)
