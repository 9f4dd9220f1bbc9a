"""Signs of danger in a request that was refused: read leniently, so that no alarm is lost with it."""

import json
from typing import Any

from pydantic import ValidationError

from services.care_plan.domain.crisis import EXPLICIT, UNASSESSABLE, Signs, signs_in, signs_of
from services.care_plan.domain.measures import Phq9
from services.care_plan.requests import CssrsForm

MISSING = (None, "refused", "dont_know")


def signs_in_refused(raw: bytes) -> Signs | None:
    """PHQ-9 item 9, C-SSRS answers and an outright `crisis` in a body that was not accepted."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    found = [_of_phq9(body.get("phq9")), _of_cssrs(body.get("cssrs")), _outright(body)]
    signs = [sign for sign in found if sign is not None]
    evidence = tuple(code for sign in signs for code in sign.evidence)
    return signs_of(evidence, tuple(sign.severity for sign in signs))


def _of_phq9(value: Any) -> Signs | None:
    """1 or more is positive however it is written; what is no answer at all is unassessable."""
    if value is None:
        return None
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list) or len(items) < 9:
        return UNASSESSABLE
    if items[8] in MISSING:
        return None
    try:
        points = float(items[8])
    except (TypeError, ValueError):
        return UNASSESSABLE
    if points == 0:
        return None
    return signs_in(Phq9(items=(None,) * 8 + (1,)), None) if points > 0 else UNASSESSABLE


def _of_cssrs(value: Any) -> Signs | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return UNASSESSABLE
    known = {name: answer for name, answer in value.items() if name in CssrsForm.model_fields}
    try:
        return signs_in(None, CssrsForm.model_validate(known).answers())
    except ValidationError:
        return UNASSESSABLE


def _outright(body: dict[str, Any]) -> Signs | None:
    """A `crisis` that is not plainly false; null and unknown values are unknown, never "no"."""
    if "crisis" not in body or body["crisis"] is False or body["crisis"] == "no":
        return None
    return EXPLICIT if body["crisis"] is True or body["crisis"] == "yes" else UNASSESSABLE
