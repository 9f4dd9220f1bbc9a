"""A service's refusal of an entry in words: its reason, invalid fields, a conflict, or no answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from services.dashboard.pages.person.fields import Field
from services.dashboard.web.services import Answer
from services.dashboard.web.words import said

State = Literal["unfit", "refused", "conflict", "unavailable", "forbidden", "unsent"]
Alerted = Literal["yes", "no", "unknown"]
SUPPORT = (
    "If you or someone else may be in danger, call or text 988 (Suicide & Crisis Lifeline) or text HOME to "
    "741741 (Crisis Text Line), or call 911. Kith is not an emergency service: it is not watched around the "
    "clock."
)
"""Shown if care_plan cannot supply its own text (clinical.md, Crisis)."""

UNCERTAIN = "It may or may not have been done. Send it again: it happens once, however often it is sent."

REASONS = {
    "wrong_phase": "The course is in another phase, in which this is not done.",
    "plan_closed": "This plan is closed: only sessions before that can still be recorded.",
    "on_hold": "The course is on hold. Go on with it first.",
    "not_on_hold": "The course is not on hold.",
    "review_date_past": "The review date lies in the past. Choose a day to come.",
    "review_date_too_far": "The review date is too far away. Choose a day within a year for a hold, within "
    "two years for maintenance.",
    "review_before_first_session": "The review comes before the first maintenance session. Choose a later "
    "review or an earlier first session.",
    "crisis_unresolved": "A crisis is not resolved. Resolve it, or hand it over with the person, first.",
    "appointment_recorded_otherwise": "This appointment was recorded before, with something else.",
    "contract_fulfilled": "All contracted sessions are attended. Revise the contract to add more.",
    "contract_unchanged": "The contract already has this number of sessions.",
    "session_in_the_future": "A session that has not taken place yet cannot be recorded.",
    "session_before_plan": "That lies before this plan began. Is the year as meant?",
    "sessions_below_attended": "More sessions than that are attended already.",
    "sessions_out_of_bounds": "The protocol does not allow this number of sessions for this variant.",
    "sessions_attended": "Sessions were attended, so the course did start. Choose another outcome.",
    "inventory_empty": "The inventory has no entries yet.",
    "inventory_unranked": "Not every issue has a rank of its own: 1, 2, 3 and so on, each once.",
    "treatment_not_ended": "The treatment has not ended yet. Only an ended course is completed.",
    "alternative_not_offered": "The person did not respond: offer an alternative before closing.",
    "first_session_past": "The first session lies in the past. Choose a day to come.",
    "unknown_variant": "There is no such variant in the protocol.",
    "outside_clinic_hours": "The clinic is closed then.",
    "holiday": "That day is a holiday.",
    "clinician_on_leave": "The clinician is on leave then.",
    "slot_taken": "The clinician has another appointment then.",
    "already_recorded": "It is already recorded what became of this appointment.",
    "already_cancelled": "This appointment is already cancelled.",
    "in_the_past": "That lies in the past.",
    "too_far_ahead": "That is more than a year after this appointment. Is the year as meant?",
    "idempotency_key_reused": "This form was already sent with another entry, and that one was taken.",
    "not_found": "It is not there any more, or not in your clinic.",
}


HEEDED = frozenset({409, 412, 422})
UNHEARD = frozenset({401, 403, 404, 409, 412, 422})
"""Statuses that prove that nothing was done."""

STATUSES: dict[State, int] = {
    "unfit": 422,
    "refused": 409,
    "conflict": 409,
    "unavailable": 503,
    "forbidden": 403,
    "unsent": 403,
}


@dataclass(frozen=True)
class Reply:
    """The message beside a form that was not accepted."""

    state: State
    title: str
    detail: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    notice: Mapping[str, Any] | None = None
    """Set if a crisis flag was raised despite the refusal: severity, evidence, support."""
    alerted: Alerted = "no"
    """Whether signs of danger in the entry reached anybody; `yes` only if the answer proves it."""

    @property
    def status(self) -> int:
        return STATUSES[self.state]


def unfit(errors: list[tuple[str, str]]) -> Reply:
    return Reply("unfit", "Please look at these again", errors=errors)


def unsent(why: str) -> Reply:
    """The reply for a form that never went to a service, such as one rendered for another sign-in."""
    return Reply(
        "unsent", "Nothing was sent yet", f"{why} Your entry is kept below: look at it and send it again."
    )


def reply(answer: Answer, fields: Mapping[str, Field], *, heeded: bool = False) -> Reply:
    """Put a refusal into words.

    `fields`: the form's fields, so that errors are shown at their field. `heeded`: the route acts on signs of
    danger even if it refuses the entry.
    """
    problem: Mapping[str, Any] = answer.problem if isinstance(answer.problem, Mapping) else {}
    return replace(_reply(answer.status, problem, fields), alerted=alerted(answer.status, problem, heeded))


def alerted(status: int, problem: Mapping[str, Any], heeded: bool) -> Alerted:
    """What a refusal proves about signs of danger in the entry.

    care_plan raises a flag for entries refused by its rules, versions or validation
    (services/care_plan/crisis_route.py), but not if the caller lacks the right or the plan does not exist.
    `changed_meanwhile` leaves it unknown, because saving the flag itself may have failed. Intake proves it by
    sending its lines of support.
    """
    if problem.get("crisis_notice") or problem.get("crisis_support"):
        return "yes"
    if heeded and status in HEEDED:
        return "unknown" if problem.get("reason") == "changed_meanwhile" else "yes"
    return "no" if status in UNHEARD else "unknown"


def _reply(status: int, problem: Mapping[str, Any], fields: Mapping[str, Field]) -> Reply:
    reason = str(problem.get("reason", ""))
    if status == 412 or reason in ("version_changed", "changed_meanwhile"):
        return Reply("conflict", "Somebody else changed this while you had it open")
    if status == 422:
        return unfit(_errors(problem, fields))
    if status == 403:
        return Reply("forbidden", "You may not do this", str(problem.get("detail", "")))
    if status in (404, 409):
        return _refused(problem, reason)
    detail = str(problem.get("detail", "")) if status else ""
    return Reply("unavailable", "There is no answer right now", detail or UNCERTAIN)


def _refused(problem: Mapping[str, Any], reason: str) -> Reply:
    given = problem.get("facts") or {}
    facts = [(said(name), _value(value)) for name, value in given.items()]
    detail = REASONS.get(reason) or str(problem.get("detail", ""))
    return Reply("refused", f"Not done: {said(reason)}", detail, facts, notice=problem.get("crisis_notice"))


def _value(value: Any) -> str:
    return ", ".join(said(str(v)) for v in value) if isinstance(value, list) else said(str(value))


def _errors(problem: Mapping[str, Any], fields: Mapping[str, Field]) -> list[tuple[str, str]]:
    found = [(_field(str(e.get("field", "")), fields), _sentence(e)) for e in problem.get("errors") or ()]
    if not found:
        return [("", str(problem.get("detail", "Something in this entry cannot be taken.")))]
    return [(name, f"{fields[name].label}: {text}" if name in fields else text) for name, text in found]


ALIASES = {"contingency_signs": "signs", "problem_areas": "focus_1", "appointment_id": "appointment"}
SKIPPED = {"body", "items", "*", "attended", "missed", "cancelled"}
"""Parts of an error's path that form fields do not have."""


def _field(path: str, fields: Mapping[str, Field]) -> str:
    """`body.phq9.items.8` → phq9_9, `body.entries.0.rank` → entry_1_rank, `body.review_on` → review_on."""
    parts = [part for part in path.split(".") if part not in SKIPPED]
    counted = [str(int(part) + 1) if part.isdecimal() else part for part in parts]
    together = "_".join(counted).replace("entries_", "entry_")
    tried = (together, *(ALIASES.get(part, part) for part in counted))
    return next((name for name in tried if name in fields), "")


SENTENCES = {
    "missing": "this is needed",
    "string_too_long": "this is too long",
    "string_too_short": "this is needed",
    "date_form": "a day is needed, like 2026-03-02",
    "greater_than_equal": "this is too small",
    "less_than_equal": "this is too large",
}


def _sentence(error: Mapping[str, Any]) -> str:
    return (
        SENTENCES.get(str(error.get("problem")), "this cannot be taken; choose or enter something else") + "."
    )
