"""Lenient reading of signs of danger in a refused request, so that no alarm is lost with it."""

from typing import Any

from pydantic import ValidationError

from services.care_plan.domain.crisis import EXPLICIT, UNASSESSABLE, Signs, signs_in, signs_of
from services.care_plan.domain.measures import Phq9
from services.care_plan.requests import CssrsForm
from shared.salvage import Item9, answers, fields, is_object, item9_of, may_speak_of_danger, parsed

_OF_ITEM9: dict[Item9, Signs | None] = {
    "negative": None,
    "positive": signs_in(Phq9(items=(None,) * 8 + (1,)), None),
    "unassessable": UNASSESSABLE,
}


def signs_in_refused(raw: bytes) -> Signs | None:
    """Find PHQ-9 item 9, C-SSRS answers and an explicit `crisis` in a body that was not accepted."""
    try:
        document = parsed(raw)
    except (ValueError, RecursionError):
        return UNASSESSABLE if may_speak_of_danger(raw) else None
    signs = [sign for name, value in fields(document) if (sign := _signs_of(name, value)) is not None]
    evidence = tuple(code for sign in signs for code in sign.evidence)
    return signs_of(evidence, tuple(sign.severity for sign in signs))


def _signs_of(name: str, value: Any) -> Signs | None:
    match name:
        case "crisis":
            return _outright(value)
        case "phq9":
            return _OF_ITEM9[item9_of(value)]
        case "cssrs":
            return _of_cssrs(value)
        case _:
            return None


def _of_cssrs(value: Any) -> Signs | None:
    if value is None:
        return None
    if not is_object(value):
        return UNASSESSABLE
    try:
        return signs_in(None, CssrsForm.model_validate(answers(value, CssrsForm.model_fields)).answers())
    except ValidationError:
        return UNASSESSABLE


def _outright(said: Any) -> Signs | None:
    """Signs in a `crisis` value. Null and unknown values are unassessable, never "no"."""
    if said is False or said == "no":
        return None
    return EXPLICIT if said is True or said == "yes" else UNASSESSABLE
