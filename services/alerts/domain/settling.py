"""Which alerts a later fact settles, so that what has become moot ends resolved by rule, with the reason."""

from datetime import datetime

from services.alerts import inbound
from services.alerts.domain.alert import Alert
from services.alerts.domain.concerns import appointment, plan, referral
from services.alerts.domain.reasons import EndReason
from services.alerts.events import AlertKind

Settled = tuple[tuple[AlertKind, str], ...]
"""(kind, about) of the alerts that are settled."""

OF_A_RUNNING_PLAN: frozenset[AlertKind] = frozenset(
    {
        "missed_session",
        "phase_overdue",
        "hold_review",
        "case_review",
        "maintenance_review",
    }
)
"""Moot once the plan is closed. Deterioration, relapse and not improving still need a human, and so does what
became of a session before the closure.
"""

OF_WHAT_IS_DUE: dict[str, AlertKind] = {
    "SessionOverdue": "session_unrecorded",
    "CaseReviewDue": "case_review",
    "HoldReviewDue": "hold_review",
    "MaintenanceReviewDue": "maintenance_review",
}
ENDED: dict[str, EndReason] = {
    "recorded": "session_recorded",
    "resumed": "plan_resumed",
    "contracted": "maintenance_contracted",
    "plan_closed": "plan_closed",
}


def is_answered(alert: Alert, at: datetime) -> bool:
    """Whether what happened at that moment came after all that led to the alert."""
    return all(evidence.at <= at for evidence in alert.evidence)


def by_recorded(appointment_id: str) -> Settled:
    return (("session_unrecorded", appointment(appointment_id)),)


def by_resumed(plan_id: str) -> Settled:
    return (("hold_review", plan(plan_id)),)


def by_contract(plan_id: str) -> Settled:
    return (("maintenance_review", plan(plan_id)),)


def by_announcement(fact: inbound.AnnouncementSettled) -> tuple[Settled, EndReason]:
    """What the scheduler asked for and asks for no more, and why.

    What care_plan announced may be read before it is asked for, and settles nothing then; this never is.
    """
    about = plan(fact.plan_id) if fact.appointment_id is None else appointment(fact.appointment_id)
    kind = OF_WHAT_IS_DUE.get(fact.settled)
    return ((kind, about),) if kind else (), ENDED.get(fact.reason, "superseded")


def by_phase(plan_id: str) -> Settled:
    return (("phase_overdue", plan(plan_id)),)


def has_sessions_to_come(overdue: Alert, fact: inbound.ContractRevised) -> bool:
    """Whether the phase that was overdue, the first of its codes, is no longer used up."""
    lengths = {"initial": fact.initial_sessions, "termination": fact.sessions}
    phase = next(iter(overdue.evidence[-1].codes), "unknown")
    return fact.attended < lengths.get(phase, 0)


def by_intake_decision(referral_id: str) -> Settled:
    return (("intake_review", referral(referral_id)),)


def moot_with(alert: Alert, plan_id: str) -> EndReason | None:
    """Whether the plan's closing settles this alert."""
    return "plan_closed" if alert.plan_id == plan_id and alert.kind in OF_A_RUNNING_PLAN else None
