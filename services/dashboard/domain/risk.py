"""Who comes first in the caseload, and what is to be done next about each person.

Both come from what was announced alone, so the order changes only when something happens.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from services.dashboard.domain.alert import OpenAlert
from services.dashboard.domain.person import Course, Person

Action = Literal[
    "take_crisis",
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
    """Acknowledged or assessed, not resolved."""
    RELAPSE = 4
    DETERIORATION = 5
    NOT_IMPROVING = 6
    MISSED = 7
    OVERDUE = 8
    """A session nobody recorded, a phase whose work is not done, a review that is due."""
    REVIEW = 9
    """A referral that waits for a human."""
    ON_HOLD = 10
    ON_COURSE = 11
    DONE = 12


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
"""What a live alert of a kind means for the person it is about; kinds that only inform are not here."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands and what is to be done. `alert_id`: the alert to open, if one asks for it."""

    risk: Risk
    action: Action
    alert_id: str | None = None


def standing(person: Person) -> Standing:
    """The worst of what is known."""
    found = [_of_alert(alert) for alert in person.alerts]
    found.append(_of_referral(person))
    course = person.course
    if course is not None:
        found.append(_of_course(course))
    return min(found, key=lambda s: (s.risk, s.alert_id or "~"))


def _of_alert(alert: OpenAlert) -> Standing:
    if alert.kind == "crisis":
        return _of_crisis(alert)
    risk, action = KINDS.get(alert.kind, (Risk.DONE, "none"))
    return Standing(risk, action, alert.id)


def _of_crisis(alert: OpenAlert) -> Standing:
    """Unknown severities count as moderate: fail towards alarm."""
    match alert.state:
        case "open":
            return Standing(SEVERITIES.get(alert.severity, Risk.CRISIS_MODERATE), "take_crisis", alert.id)
        case "acknowledged":
            return Standing(Risk.CRISIS_TAKEN, "assess_crisis", alert.id)
        case _:
            return Standing(Risk.CRISIS_TAKEN, "resolve_crisis", alert.id)


def _of_referral(person: Person) -> Standing:
    referral = person.referral
    match referral.state if referral else None:
        case "review":
            return Standing(Risk.REVIEW, "decide_referral")
        case "incomplete":
            return Standing(Risk.REVIEW, "complete_screening")
        case _:
            return Standing(Risk.DONE, "none")


def _of_course(course: Course) -> Standing:
    if course.phase == "closed":
        return Standing(Risk.DONE, "none")
    if course.hold is not None:
        return Standing(Risk.ON_HOLD, "review_hold")
    if any(a.overdue and a.status == "planned" for a in course.appointments):
        return Standing(Risk.OVERDUE, "record_session")
    if any(mark.kind == "phase_overdue" for mark in course.marks):
        return Standing(Risk.OVERDUE, "complete_phase_work")
    return Standing(Risk.ON_COURSE, _next_step(course))


def _next_step(course: Course) -> Action:
    """Nothing is wrong: what the course itself asks for."""
    if course.phase == "ended":
        return "discuss_maintenance"
    if course.next_appointment is None:
        return "book"
    remaining = course.sessions - course.attended
    if course.phase == "middle" and remaining <= course.termination_sessions + 1:
        return "prepare_ending"
    return "see"
