"""Which alerts a later fact settles. Moot alerts are resolved by rule, with the reason."""

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
"""Moot once the plan is closed. Deterioration, relapse and not improving still need a human, and so does an
unrecorded session from before the closure.
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
    """Whether all evidence of the alert dates from `at` or before."""
    return all(evidence.at <= at for evidence in alert.evidence)


def by_recorded(appointment_id: str) -> Settled:
    return (("session_unrecorded", appointment(appointment_id)),)


def by_resumed(plan_id: str) -> Settled:
    return (("hold_review", plan(plan_id)),)


def by_contract(plan_id: str) -> Settled:
    return (("maintenance_review", plan(plan_id)),)


def by_announcement(fact: inbound.AnnouncementSettled) -> tuple[Settled, EndReason]:
    """The alert whose request the scheduler has settled, and why.

    A care_plan event may be read before the request and then settles nothing. This event never is.
    """
    about = plan(fact.plan_id) if fact.appointment_id is None else appointment(fact.appointment_id)
    kind = OF_WHAT_IS_DUE.get(fact.settled)
    return ((kind, about),) if kind else (), ENDED.get(fact.reason, "superseded")


def by_phase(plan_id: str) -> Settled:
    return (("phase_overdue", plan(plan_id)),)


def has_sessions_to_come(overdue: Alert, fact: inbound.ContractRevised) -> bool:
    """Whether the overdue phase (the first of the alert's latest codes) has sessions left after all."""
    lengths = {"initial": fact.initial_sessions, "termination": fact.sessions}
    phase = next(iter(overdue.evidence[-1].codes), "unknown")
    return fact.attended < lengths.get(phase, 0)


def by_intake_decision(referral_id: str) -> Settled:
    return (("intake_review", referral(referral_id)),)


def moot_with(alert: Alert, plan_id: str) -> EndReason | None:
    """The reason to end this alert if closing the plan settles it, else `None`."""
    return "plan_closed" if alert.plan_id == plan_id and alert.kind in OF_A_RUNNING_PLAN else None
