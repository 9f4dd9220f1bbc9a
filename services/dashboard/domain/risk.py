"""Who comes first in the caseload, and the next action for each person.

Both are derived from announced facts alone, so the order changes only when something happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Literal, TypeVar

from services.dashboard.domain.alert import OpenAlert
from services.dashboard.domain.person import Course, Flag, Person, Referral

Action = Literal[
    "take_crisis",
    "answer_flag",
    "assess_crisis",
    "resolve_crisis",
    "decide_relapse",
    "review_deterioration",
    "review_course",
    "reach_out",
    "record_session",
    "complete_phase_work",
    "review_hold",
    "review_maintenance",
    "decide_referral",
    "complete_screening",
    "ask_for_plan",
    "look_at_alert",
    "prepare_ending",
    "see",
    "book",
    "discuss_maintenance",
    "none",
]


class Risk(IntEnum):
    """In the order of the caseload: the riskiest first (clinical.md, What a coordinator looks at)."""

    CRISIS_HIGH = 0
    CRISIS_MODERATE = 1
    CRISIS_LOW = 2
    CRISIS_TAKEN = 3
    """Acknowledged or assessed, but not resolved."""
    RELAPSE = 4
    DETERIORATION = 5
    NOT_IMPROVING = 6
    MISSED = 7
    OVERDUE = 8
    """An unrecorded session, a phase with work left undone, or a review that is due."""
    REVIEW = 9
    """A referral that waits for a human."""
    WAITING = 10
    """Intake is completed, but no care plan is known yet."""
    ON_HOLD = 11
    ON_COURSE = 12
    DONE = 13


SEVERITIES = {"high": Risk.CRISIS_HIGH, "moderate": Risk.CRISIS_MODERATE, "low": Risk.CRISIS_LOW}

KINDS: dict[str, tuple[Risk, Action]] = {
    "relapse_signal": (Risk.RELAPSE, "decide_relapse"),
    "deterioration": (Risk.DETERIORATION, "review_deterioration"),
    "not_improving": (Risk.NOT_IMPROVING, "review_course"),
    "case_review": (Risk.NOT_IMPROVING, "review_course"),
    "missed_session": (Risk.MISSED, "reach_out"),
    "session_unrecorded": (Risk.OVERDUE, "record_session"),
    "phase_overdue": (Risk.OVERDUE, "complete_phase_work"),
    "hold_review": (Risk.OVERDUE, "review_hold"),
    "maintenance_review": (Risk.OVERDUE, "review_maintenance"),
    "intake_review": (Risk.REVIEW, "decide_referral"),
}
"""What an unresolved alert of each kind means for its person."""

UNKNOWN_KIND: tuple[Risk, Action] = (Risk.OVERDUE, "look_at_alert")
"""For a kind this release does not know: fail towards alarm."""

INFORMING = frozenset({"termination_phase", "maintenance", "dead_letter"})
"""Kinds that require no action from the person's carers."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's risk and next action. `alert_id`: the alert that requires the action, if any.

    `since`: when this standing began, if known.
    """

    risk: Risk
    action: Action
    alert_id: str | None = None
    since: datetime | None = None


NOTHING = Standing(Risk.DONE, "none")


def standing(person: Person) -> Standing:
    """The worst standing known. Ties go to an alert first, then to the referral or course that is shown."""
    found = [_of_alert(alert) for alert in person.alerts]
    found += [_of_flag(flag) for flag in person.unheard_flags]
    found += [_of_referral(referral, person) for referral in _first(person.referral, person.referrals)]
    found += [_of_course(course) for course in _first(person.course, person.courses)]
    return min(found, key=lambda s: (s.risk, s.alert_id or "~"), default=NOTHING)


T = TypeVar("T")


def _first(one: T | None, all: Sequence[T]) -> list[T]:
    return [] if one is None else [one, *(other for other in all if other is not one)]


def _of_alert(alert: OpenAlert) -> Standing:
    if alert.kind == "crisis":
        return _of_crisis(alert)
    if alert.kind in INFORMING:
        return NOTHING
    risk, action = KINDS.get(alert.kind, UNKNOWN_KIND)
    if (alert.joined_for or alert.reason) == "screening_incomplete":
        action = "complete_screening"
    return Standing(risk, action, alert.id, alert.raised_at)


def _of_crisis(alert: OpenAlert) -> Standing:
    match alert.state:
        case "open":
            return Standing(_crisis(alert.severity), "take_crisis", alert.id, alert.raised_at)
        case "acknowledged":
            return Standing(Risk.CRISIS_TAKEN, "assess_crisis", alert.id, alert.raised_at)
        case _:
            return Standing(Risk.CRISIS_TAKEN, "resolve_crisis", alert.id, alert.raised_at)


def _crisis(severity: str) -> Risk:
    """Unknown severities count as moderate: fail towards alarm."""
    return SEVERITIES.get(severity, Risk.CRISIS_MODERATE)


def _of_flag(flag: Flag) -> Standing:
    """Treat an unheard flag as an open crisis whose alert is not known yet: somebody may be in danger."""
    return Standing(_crisis(flag.severity), "answer_flag", None, flag.at)


def _of_referral(referral: Referral, person: Person) -> Standing:
    match referral.state:
        case "review":
            return Standing(Risk.REVIEW, "decide_referral", None, referral.received_at)
        case "received" | "incomplete":
            return Standing(Risk.REVIEW, "complete_screening", None, referral.received_at)
        case "completed" if all(course.referral_id != referral.id for course in person.courses):
            return Standing(Risk.WAITING, "ask_for_plan", None, referral.decided_at)
        case _:
            return NOTHING


def _of_course(course: Course) -> Standing:
    unrecorded = any(a.overdue and a.status == "planned" for a in course.appointments)
    if course.phase == "closed":
        return Standing(Risk.OVERDUE, "record_session") if unrecorded else NOTHING
    if course.hold is not None:
        return Standing(Risk.ON_HOLD, "review_hold")
    if unrecorded:
        return Standing(Risk.OVERDUE, "record_session")
    if any(mark.kind == "phase_overdue" for mark in course.marks):
        return Standing(Risk.OVERDUE, "complete_phase_work")
    return Standing(Risk.ON_COURSE, _next_step(course))


def _next_step(course: Course) -> Action:
    """The next action of a course that is running as planned."""
    if course.phase == "ended":
        return "discuss_maintenance"
    if course.next_appointment is None:
        return "book"
    remaining = course.sessions - course.attended
    if course.phase == "middle" and remaining <= course.termination_sessions + 1:
        return "prepare_ending"
    return "see"
