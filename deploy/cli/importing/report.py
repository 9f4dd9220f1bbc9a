"""The report of rows to correct, as a table: row, code, advice. It holds none of the rows' content."""

import csv
import re
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

HEADER = ("row", "code", "what to mend")
WORD = re.compile(r"[a-z0-9_]+")
LIST_PLACE = re.compile(r"\.\d+$")

ADVICE = {
    "not_json": "The line is not JSON.",
    "not_an_object": "The line is JSON, but not an object.",
    "repeated_field": "The line names a field more than once: keep one of them.",
    "person_differs": (
        "This referral or this person_id is known, and is somebody else's: the person_id, the birth date, "
        "the names, or the sex or age where nothing else is known, differ. Check the numbers. A correction "
        "needs the referral and the person_id that are known."
    ),
    "kept_by_newer_release": (
        "A newer release keeps this referral or person: import the row again once every service is of it."
    ),
    "rows_in_a_cell": (
        "A cell holds what looks like other rows: is there a stray quote in it? Mend it, or write the cell "
        "on one line."
    ),
    "body_too_large": "The row is too large: shorten its texts.",
    "missing": "Fill in {column}.",
    "json_invalid": "The row holds characters or a nesting that nothing can store.",
    "extra_forbidden": "Leave out what is not known in {column}, or check its spelling.",
    "literal_error": "Use one of the allowed values in {column}.",
    "enum": "Use one of the allowed values in {column}.",
    "greater_than_equal": "The value in {column} is too small.",
    "less_than_equal": "The value in {column} is too large.",
    "int_type": "Write a whole number in {column}.",
    "int_parsing": "Write a whole number in {column}.",
    "bool_type": "Write yes or no in {column}.",
    "bool_parsing": "Write yes or no in {column}.",
    "string_type": "Write text in {column}.",
    "string_pattern_mismatch": "Characters or length of {column} are not allowed.",
    "date_form": "Write a day like 1984-05-23 in {column}.",
    "too_short": "Give exactly one answer per item in {column}.",
    "too_long": "Give exactly one answer per item in {column}.",
    "unknown_clinic": "Name a clinic that exists in {column}.",
    "unknown_clinician": "Name a clinician of this clinic in {column}.",
    "not_found": "Name a clinic that is yours in {column}.",
    "date_in_the_future": "The day in {column} is in the future.",
    "wrong_number": "The row has more or fewer cells than the header.",
}
"""Keyed by code, or by the part of the code after the field."""

ANSWER = re.compile(r"screening\.(phq9|gad7)\.(items\.\d|difficulty)")
OF_AN_ANSWER = "Write 0 to 3, refused or dont_know in {column}."
VALUES = {"literal_error", "int_type", "greater_than_equal", "less_than_equal"}


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
    """`field.path:problem` with every unknown name as `*`: it may be content of the row."""
    path, colon, problem = code.rpartition(":")
    parts = [part if part.isdigit() or part in names() else "*" for part in path.split(".") if part]
    return f"{'.'.join(parts)}{colon}{_word(problem)}"


def advice(code: str, format: Format) -> str:
    path, _, problem = shown(code).rpartition(":")
    if path == "cells":
        problem = "wrong_number"
    default = "Mend {column}." if path else "Refused: {problem}."
    told = ADVICE.get(problem, default)
    if problem in VALUES and ANSWER.fullmatch(path) and format != "nhanes":
        told = OF_AN_ANSWER
    return told.format(column=column(path, format) or "the row", problem=problem.replace("_", " "))


def column(path: str, format: Format) -> str:
    """The field's column name in the file; empty for the row as a whole."""
    if path == "row":
        return ""
    if format == "ndjson":
        return path
    known = _columns(format).get(path)
    return known or LIST_PLACE.sub("", path).removeprefix("person.").removeprefix("history.")


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


def _word(text: str) -> str:
    return text if WORD.fullmatch(text) else "*"


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
