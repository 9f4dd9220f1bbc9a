"""Intake's refusal of a form, for the page that shows the form again with its input and the reason."""

from dataclasses import dataclass, field
from typing import Any

from services.dashboard.pages.forms import new_key
from services.dashboard.pages.intake.errors import FieldErrors, field_errors
from services.dashboard.pages.intake.words import refusal
from services.dashboard.web.services import Answer

CHANGED = frozenset({"version_changed", "changed_meanwhile"})
LOST = 500
NOT_OURS = {"status": 403, "reason": "form_not_ours"}


@dataclass(frozen=True)
class Said:
    """A refusal. `key`: for the form shown again; the same one if the first request may have been done."""

    problem: dict[str, Any]
    errors: FieldErrors = field(default_factory=dict)
    key: str = field(default_factory=new_key)
    is_alarming: bool = False
    """The input has signs of a crisis."""

    @property
    def is_away(self) -> bool:
        """True if intake did not process the form, or it is unknown whether it did."""
        return self.status >= LOST or self.status in (408, 429)

    @property
    def is_unsent(self) -> bool:
        """True if the form was rendered for another sign-in, and so was never sent to intake."""
        return self.problem.get("reason") == NOT_OURS["reason"]

    @property
    def is_conflict(self) -> bool:
        return self.problem.get("reason") in CHANGED

    @property
    def alerted(self) -> bool:
        """True if intake refused the form but raised the alarm for the crisis in it."""
        return bool(self.problem.get("crisis_support"))

    @property
    def status(self) -> int:
        return int(self.problem.get("status", LOST))


def said_no(
    answer: Answer, form: dict[str, str], fields: list[str], *, within: str = "", is_alarming: bool = False
) -> Said:
    """`answer` must be a refusal. `fields`: the names of the form's fields; `within`: see `field_errors`."""
    problem = answer.body if isinstance(answer.body, dict) else {"status": answer.status or 503}
    said = Said(refusal(problem), field_errors(problem, fields, within=within), is_alarming=is_alarming)
    kept = form.get("idempotency_key")
    return Said(said.problem, said.errors, kept, is_alarming) if said.is_away and kept else said


def unsent(*, is_alarming: bool = False) -> Said:
    return Said(NOT_OURS, is_alarming=is_alarming)
