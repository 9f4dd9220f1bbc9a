"""What care_plan announces about the course of treatment."""

from datetime import date, datetime
from typing import ClassVar, Literal

from shared.messaging.event import Event

PhaseName = Literal["initial", "middle", "termination", "ended", "maintenance", "closed"]
ProblemArea = Literal["role_disputes", "role_transitions", "grief", "interpersonal_deficits"]
Frequency = Literal["weekly", "twice_monthly", "monthly"]


class CarePlanEvent(Event):
    """Common ground: which plan, and who treats."""

    topic: ClassVar[str] = "care-plan.plans"

    plan_id: str
    clinician_id: str


class CarePlanStarted(CarePlanEvent):
    referral_id: str
    episode: int
    protocol_version: str
    variant: str
    sessions: int
    """Contracted number of sessions, N."""
    initial_sessions: int
    termination_sessions: int
    started_at: datetime


class PhaseEntered(CarePlanEvent):
    phase: PhaseName
    previous: PhaseName
    attended: int
    entered_at: datetime


class PhaseOverdue(CarePlanEvent):
    """The phase's maximum of sessions is reached and its work is not done; nothing advances by itself."""

    phase: PhaseName
    attended: int
    missing: tuple[str, ...]


class FocusSelected(CarePlanEvent):
    problem_areas: tuple[ProblemArea, ...]


class ContractRevised(CarePlanEvent):
    sessions: int
    previous_sessions: int
    initial_sessions: int
    termination_sessions: int
    attended: int
    reason: str
    """A code, not prose."""


class SessionAttended(CarePlanEvent):
    appointment_id: str
    attended: int
    """Sessions attended so far, this one included; in maintenance: of the maintenance contract."""
    sessions: int | None
    """N; none in open-ended maintenance."""
    phase: PhaseName
    """The phase in which the session took place."""
    attended_at: datetime


class SessionMissed(CarePlanEvent):
    """The person did not come."""

    appointment_id: str
    phase: PhaseName
    """The phase in which the session would have taken place."""
    consecutive: int
    missed_at: datetime
    after_closure: bool = False
    """Recorded when the plan was closed already."""


class SessionCancelled(CarePlanEvent):
    appointment_id: str
    phase: PhaseName
    cancelled_by: Literal["patient", "clinician", "clinic"]
    reason: str
    """A code, not prose."""
    cancelled_at: datetime


class MeasureRecorded(CarePlanEvent):
    instrument: Literal["phq9", "gad7"]
    total: int | None
    """None when an item is missing: a partial sum is never a score."""
    missing_items: tuple[int, ...]
    baseline: int | None
    change: int | None
    """Against baseline; negative is better."""
    attended: int
    recorded_at: datetime


class ResponseReached(CarePlanEvent):
    """At least half of the baseline gone (baseline ≥ 10)."""

    baseline: int
    total: int


class RemissionReached(CarePlanEvent):
    """PHQ-9 below 5."""

    baseline: int
    total: int


class NotImproving(CarePlanEvent):
    """No response by week 8: a case review is asked for in weeks 8 to 12."""

    week: int
    baseline: int | None
    total: int | None


class DeteriorationDetected(CarePlanEvent):
    baseline: int
    total: int
    rise: int


class RelapseSignalled(CarePlanEvent):
    """In maintenance, PHQ-9 ≥ 10 or ≥ 5 over the end-of-acute score; a clinician decides."""

    end_of_acute: int | None
    total: int


class MaintenanceContracted(CarePlanEvent):
    frequency: Frequency
    first_on_or_after: date
    review_on: date


class MaintenanceDiscussed(CarePlanEvent):
    """Ended, and maintenance was offered: indicated or not, wanted or not."""

    indicated: bool
    indications: tuple[str, ...]


class CarePlanHeld(CarePlanEvent):
    reason: str
    review_on: date
    held_at: datetime


class CarePlanResumed(CarePlanEvent):
    resumed_at: datetime


class CarePlanClosed(CarePlanEvent):
    outcome: Literal["completed", "withdrawn", "transferred", "not_started", "relapsed"]
    reason: str
    closed_at: datetime


class CrisisFlagRaised(Event):
    """Someone may be in danger. Read by alerts in a lane of its own."""

    topic: ClassVar[str] = "care-plan.crisis-flags"

    flag_id: str
    plan_id: str
    severity: Literal["high", "moderate", "low"]
    evidence: tuple[str, ...]
    """Codes: phq9_item9, cssrs_high, cssrs_moderate, cssrs_low, explicit, unassessable."""
    clinician_id: str | None
    raised_at: datetime
