"""Lenient reading of crisis evidence in a refused form, so that no alarm is lost with it.

Returns only codes, never an answer.
"""

from services.intake.domain.crisis import (
    ACUTELY_SUICIDAL,
    CLEAR,
    Assessment,
    Statement,
    assess,
    assess_conditions,
    assess_statement,
)
from services.intake.domain.cssrs import QUESTIONS, Cssrs, YesNo
from services.intake.domain.screening import Screening
from shared.salvage import (
    SUICIDALITY,
    Item9,
    answers,
    fields,
    is_object,
    item9_of,
    may_speak_of_danger,
    pairs,
    parsed,
)
from shared.tables import ROWS_IN_A_CELL

UNASSESSABLE = Assessment(
    severity="moderate", evidence=frozenset({"unassessable"}), signs=frozenset({"unreadable"})
)
EXPLICIT = assess_statement("yes")

UNREADABLE_LINE = "unreadable_line"
"""The field in which importers send a file's line that contains no readable document."""

_OF_ITEM9: dict[Item9, Assessment] = {
    "negative": CLEAR,
    "positive": assess(Screening(phq9=(None,) * 8 + (1,)), "not_stated"),
    "unassessable": UNASSESSABLE,
}


def yes_or_no(value: object) -> YesNo:
    """Interpret an answer as sent. Anything but yes, no or null is unreadable, never "no"."""
    if value is None:
        return None
    if value is True or value == "yes":
        return "yes"
    return "no" if value is False or value == "no" else "unreadable"


def stated(value: object) -> Statement:
    """Interpret a `crisis` field; null and unknown values are unknown, never "no" (reliability.md, 21)."""
    answer = yes_or_no(value)
    return answer if answer in ("yes", "no") else "unknown"


def evidence_in(raw: bytes) -> Assessment:
    """All crisis evidence in a request body that was refused: explicit flags, item 9, C-SSRS answers.

    A body that is not JSON is searched as text.
    """
    try:
        document = parsed(raw)
    except (ValueError, RecursionError):
        return UNASSESSABLE if may_speak_of_danger(raw) else CLEAR
    return evidence_in_document(document)


def evidence_in_document(document: object) -> Assessment:
    """The same for a parsed document, with fields at any depth."""
    found = CLEAR
    for name, value in fields(document):
        found = found.joined(_evidence_of(name, value))
    return found


def _evidence_of(name: str, value: object) -> Assessment:
    match name:
        case "crisis":
            return assess_statement(stated(value))
        case "phq9":
            return _OF_ITEM9[item9_of(value)]
        case "cssrs":
            return _of_cssrs(value)
        case "cells" if value == ROWS_IN_A_CELL:
            return UNASSESSABLE
        case str() if name == UNREADABLE_LINE:
            return evidence_in(str(value).encode())
        case "conditions":
            return _of_conditions(value)
        case _:
            return CLEAR


def _of_conditions(value: object) -> Assessment:
    """Find acute suicidality in any form: within a longer text, as a label, or as a name with a yes."""
    given = value if isinstance(value, list) and not is_object(value) else [value]
    named = [name for item in given for name, answer in pairs(item) if yes_or_no(answer) not in (None, "no")]
    said = [item for item in (*given, *named) if isinstance(item, str) and SUICIDALITY in item.casefold()]
    return assess_conditions([ACUTELY_SUICIDAL] if said else [])


def _of_cssrs(value: object) -> Assessment:
    if value is None:
        return CLEAR
    if not is_object(value):
        return UNASSESSABLE
    said = {name: yes_or_no(answer) for name, answer in answers(value, QUESTIONS).items()}
    return assess(Screening(cssrs=Cssrs.model_validate(said)), "not_stated")
