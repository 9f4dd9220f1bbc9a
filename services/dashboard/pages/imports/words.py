"""Advice on how to correct a row. It never repeats the row's content."""

from services.dashboard.pages.imports.rows import COLUMNS, CSSRS, GAD7, PERSON, PHQ9, Format
from shared import import_advice

ITEMS = {
    f"screening.{instrument}.items.{place}": name
    for instrument, columns in (("phq9", PHQ9), ("gad7", GAD7))
    for place, name in enumerate(columns)
}
NAMES = (
    ITEMS
    | {f"screening.cssrs.{question}": name for name, question in CSSRS.items()}
    | {f"person.{known}": name for name, known in PERSON.items()}
    | {"screening.phq9.difficulty": "phq9_difficulty"}
)
"""Column names of fields that have another path at intake."""

FIELDS = frozenset(
    {part for path in NAMES for part in path.split(".")} | COLUMNS | {"history", "row", "rows", "cells"}
)


def shown(code: str) -> str:
    return import_advice.shown(code, FIELDS)


def advice(code: str, format: Format) -> str:
    path, _, problem = shown(code).rpartition(":")
    return import_advice.advice(path, problem, _column(path, format))


def _column(path: str, format: Format) -> str:
    if path in ("", "row"):
        return "the row"
    if format == "ndjson":
        return path
    return NAMES.get(path) or import_advice.without_place(path).removeprefix("history.")
