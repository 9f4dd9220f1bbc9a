"""The fields of care_plan's events that the scheduler reads."""

from datetime import date
from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from shared.messaging.event import Inbound


class PlanFact(Inbound):
    topic: ClassVar[str] = "care-plan.plans"

    plan_id: str = Field(min_length=1)


class CarePlanStarted(PlanFact):
    clinician_id: str = Field(min_length=1)
    sessions: int = Field(ge=1, le=100)
    """Contracted number of sessions, N."""
    termination_sessions: int = Field(ge=0)
    started_at: AwareDatetime


class ContractRevised(PlanFact):
    sessions: int = Field(ge=1, le=100)
    termination_sessions: int = Field(ge=0)


class PhaseEntered(PlanFact):
    phase: str
    entered_at: AwareDatetime


class SessionAttended(PlanFact):
    appointment_id: str
    attended: int = Field(ge=0)
    """Sessions attended so far, including this one. In maintenance: those of the maintenance contract."""
    sessions: int | None = Field(ge=1, le=100)
    """N; `None` in open-ended maintenance."""
    phase: str


class SessionMissed(PlanFact):
    appointment_id: str


class SessionCancelled(PlanFact):
    appointment_id: str


class MaintenanceContracted(PlanFact):
    frequency: Literal["weekly", "twice_monthly", "monthly"]
    first_on_or_after: date
    review_on: date


class CarePlanHeld(PlanFact):
    review_on: date
    held_at: AwareDatetime


class CarePlanResumed(PlanFact):
    resumed_at: AwareDatetime


class CarePlanClosed(PlanFact):
    clinician_id: str = ""
    closed_at: AwareDatetime
