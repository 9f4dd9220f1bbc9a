"""A crisis, parallel to the course of care: none → open → acknowledged → assessed → resolved.

clinical.md, Crisis: one crisis episode per patient at a time; fail towards alarm.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.alerts.domain.alert import UNKNOWN, Alert, Evidence, Outcome, identify
from services.alerts.domain.policy import Rules
from services.alerts.domain.raising import joined, raised, with_evidence
from services.alerts.domain.roster import OnCall


class CrisisHistory(BaseModel):
    """One person's crises. Saved whenever one opens, grows or ends, so that two are never open at once."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The patient id."""
    patient_id: str
    clinic_id: str
    number: int = 0
    """Crises so far."""
    open: str | None = None
    """The alert of the open crisis."""
    ended_at: datetime | None = None
    evidence: tuple[str, ...] = ()
    """Flags and dead letters recorded so far, each in exactly one alert."""


@dataclass(frozen=True, slots=True)
class Report:
    """Evidence that a person may be in danger."""

    patient_id: str
    clinic_id: str
    clinician_id: str | None
    evidence: Evidence


def open_or_join(
    history: CrisisHistory | None, alert: Alert | None, report: Report, on_call: OnCall, now: datetime
) -> tuple[CrisisHistory, Outcome] | None:
    """Open a crisis or join the open one; `None` if this evidence is known already."""
    history = history or CrisisHistory(
        id=report.patient_id, patient_id=report.patient_id, clinic_id=report.clinic_id
    )
    if report.evidence.id in history.evidence:
        return None
    history = history.model_copy(update={"evidence": (*history.evidence, report.evidence.id)})
    if alert is not None:
        history = history.model_copy(update={"open": alert.id})
        return _at_clinic(history, report), joined(_placed(alert, report), report.evidence, on_call, now)
    number = history.number + 1
    opened = _open(history, report, number, now)
    history = history.model_copy(update={"number": number, "open": opened.id})
    return _at_clinic(history, report), raised(opened, on_call, now)


def about(patient_id: str) -> str:
    return f"patient:{patient_id}"


def _open(history: CrisisHistory, report: Report, number: int, now: datetime) -> Alert:
    clinic_id = report.clinic_id if report.clinic_id != UNKNOWN else history.clinic_id
    alert = Alert(
        id=identify(report.patient_id, "crisis", number, report.evidence.id),
        patient_id=report.patient_id,
        clinic_id=clinic_id,
        kind="crisis",
        severity=report.evidence.severity,
        about=about(report.patient_id),
        reason=report.evidence.reason,
        clinician_id=report.clinician_id,
        raised_at=now,
    )
    return with_evidence(alert, report.evidence)


def _placed(alert: Alert, report: Report) -> Alert:
    """Fill in an unknown clinic or clinician if the evidence names it."""
    clinic_id = report.clinic_id if alert.clinic_id == UNKNOWN else alert.clinic_id
    clinician_id = alert.clinician_id or report.clinician_id
    return alert.model_copy(update={"clinic_id": clinic_id, "clinician_id": clinician_id})


def _at_clinic(history: CrisisHistory, report: Report) -> CrisisHistory:
    if history.clinic_id != UNKNOWN or report.clinic_id == UNKNOWN:
        return history
    return history.model_copy(update={"clinic_id": report.clinic_id})


def ended(history: CrisisHistory, alert: Alert, now: datetime) -> CrisisHistory:
    """Record that the open crisis was resolved. The next flag opens a new one."""
    if history.open != alert.id:
        return history
    return history.model_copy(update={"open": None, "ended_at": now})


def recency(history: CrisisHistory | None, rules: Rules, now: datetime) -> Literal["none", "open", "recent"]:
    """Whether a crisis is open or ended within the past 90 days (clinical.md, Sessions)."""
    if history is None:
        return "none"
    if history.open is not None:
        return "open"
    recent = timedelta(days=rules.recent_crisis_days)
    return "recent" if history.ended_at is not None and now - history.ended_at <= recent else "none"
