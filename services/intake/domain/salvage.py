"""Crisis evidence in a form that cannot be accepted: read leniently, so that no alarm is lost with it.

Only codes come out of here, never an answer.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from services.intake.domain.crisis import CLEAR, Assessment, Statement, assess, assess_statement
from services.intake.domain.cssrs import QUESTIONS, Cssrs, YesNo
from services.intake.domain.screening import Screening

MAX_DEPTH = 12

UNASSESSABLE = Assessment(
    severity="moderate", evidence=frozenset({"unassessable"}), signs=frozenset({"unreadable"})
)
EXPLICIT = assess_statement("yes")

_STATED = re.compile(rb'"crisis"\s*:\s*(?!\s*(?:false|"no"))')
_ITEM9 = re.compile(rb'"item_?9"\s*:\s*"?[1-9]')


class Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated names kept."""


def yes_or_no(value: object) -> YesNo:
    """An answer as it was sent. Neither yes nor no nor null: unreadable, never "no"."""
    if value is None:
        return None
    if value is True or value == "yes":
        return "yes"
    return "no" if value is False or value == "no" else "unreadable"


def stated(value: object) -> Statement:
    """What a `crisis` field says; null and unknown values are unknown, never "no" (reliability.md, 21)."""
    answer = yes_or_no(value)
    return answer if answer in ("yes", "no") else "unknown"


def evidence_in(raw: bytes) -> Assessment:
    """All crisis evidence in a request body that was refused: explicit flags, item 9, C-SSRS answers.

    A body that is no JSON is searched as text.
    """
    try:
        document = json.loads(raw, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return _in_text(raw)
    return evidence_in_document(document)


def evidence_in_document(document: object) -> Assessment:
    """The same for a parsed document, at whatever depth its fields stand."""
    found = CLEAR
    for name, value in _fields(document, 0):
        found = found.joined(_evidence_of(name, value))
    return found


def _evidence_of(name: str, value: object) -> Assessment:
    match name:
        case "crisis":
            return assess_statement(stated(value))
        case "phq9":
            return _of_phq9(value)
        case "cssrs":
            return _of_cssrs(value)
        case _:
            return CLEAR


def _of_phq9(value: object) -> Assessment:
    items = next((v for n, v in _pairs(value) if n == "items"), None) if _is_object(value) else value
    if items is None:
        return CLEAR
    if not isinstance(items, list) or isinstance(items, Pairs):
        return UNASSESSABLE
    return _of_item9(items[8]) if len(items) > 8 else CLEAR


def _of_item9(value: object) -> Assessment:
    """1 or more is positive however it is written; what is neither a number nor a refusal is unassessable."""
    if value in (None, "refused", "dont_know"):
        return CLEAR
    try:
        points = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return UNASSESSABLE
    if points == 0:
        return CLEAR
    return assess(Screening(phq9=(None,) * 8 + (1,)), "not_stated") if points > 0 else UNASSESSABLE


def _of_cssrs(value: object) -> Assessment:
    if value is None:
        return CLEAR
    if not _is_object(value):
        return UNASSESSABLE
    answers = {n: yes_or_no(v) for n, v in _pairs(value) if n in QUESTIONS}
    return assess(Screening(cssrs=Cssrs.model_validate(answers)), "not_stated")


def _is_object(value: object) -> bool:
    return isinstance(value, Pairs | dict)


def _pairs(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else list(value) if isinstance(value, Pairs) else []


def _fields(value: object, depth: int) -> Iterator[tuple[str, Any]]:
    """Every name and value of a document, objects in objects included."""
    if depth > MAX_DEPTH:
        return
    for name, inner in _pairs(value):
        yield name, inner
        yield from _fields(inner, depth + 1)
    if isinstance(value, list) and not isinstance(value, Pairs):
        for inner in value:
            yield from _fields(inner, depth + 1)


def _in_text(raw: bytes) -> Assessment:
    """Broken JSON: a `crisis` that is not plainly false, or an item 9 above 0, cannot be ruled out."""
    return UNASSESSABLE if _STATED.search(raw) or _ITEM9.search(raw) else CLEAR
