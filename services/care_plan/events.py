"""Events that care_plan announces about the course of treatment."""

from datetime import date, datetime
from typing import ClassVar, Literal

from shared.messaging.event import Event

PhaseName = Literal["initial", "middle", "termination", "ended", "maintenance", "closed"]
ProblemArea = Literal["role_disputes", "role_transitions", "grief", "interpersonal_deficits"]
Frequency = Literal["weekly", "twice_monthly", "monthly"]


class CarePlanEvent(Event):
    """Fields common to all plan events: the plan and its clinician."""

    topic: ClassVar[str] = "care-plan.plans"

    plan_id: str
    clinician_id: str


class CarePlanStarted(CarePlanEvent):
    """A course of treatment began, after a completed intake or a confirmed relapse."""

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
    """The plan left one phase of treatment and entered another."""

    phase: PhaseName
    previous: PhaseName
    attended: int
    entered_at: datetime


class PhaseOverdue(CarePlanEvent):
    """A phase has used up its sessions and its work is not done; nothing advances by itself."""

    phase: PhaseName
    attended: int
    missing: tuple[str, ...]


class FocusSelected(CarePlanEvent):
    """The problem areas that treatment works on were chosen or replaced."""

    problem_areas: tuple[ProblemArea, ...]


class ContractRevised(CarePlanEvent):
    """Another number of sessions was agreed, and the phases' lengths were derived from it."""

    sessions: int
    previous_sessions: int
    initial_sessions: int
    termination_sessions: int
    attended: int
    reason: str
    """A code, not prose."""


class SessionAttended(CarePlanEvent):
    """The person came to a session, which counts towards their contract."""

    appointment_id: str
    attended: int
    """Sessions attended so far, this one included; in maintenance: of the maintenance contract."""
    sessions: int | None
    """N; `None` in open-ended maintenance."""
    phase: PhaseName
    """The phase in which the session took place."""
    attended_at: datetime


class SessionMissed(CarePlanEvent):
    """The person did not come to a session."""

    appointment_id: str
    phase: PhaseName
    """The phase in which the session would have taken place."""
    consecutive: int
    missed_at: datetime
    after_closure: bool = False
    """The session was recorded after the plan was closed."""


class SessionCancelled(CarePlanEvent):
    """A session was recorded as called off by the person, the clinician or the clinic."""

    appointment_id: str
    phase: PhaseName
    cancelled_by: Literal["patient", "clinician", "clinic"]
    reason: str
    """A code, not prose."""
    cancelled_at: datetime


class MeasureRecorded(CarePlanEvent):
    """Answers to a PHQ-9 or GAD-7 were recorded, with a total only if no item is missing."""

    instrument: Literal["phq9", "gad7"]
    total: int | None
    """`None` when an item is missing: a partial sum is never a score."""
    missing_items: tuple[int, ...]
    baseline: int | None
    change: int | None
    """Against baseline; negative is better."""
    attended: int
    recorded_at: datetime
    taken_at: datetime | None = None
    """When the person answered, if known; a session may be recorded weeks later."""


class ResponseReached(CarePlanEvent):
    """The person responded to treatment: PHQ-9 fell by half or more from a baseline of at least 10."""

    baseline: int
    total: int


class RemissionReached(CarePlanEvent):
    """The person reached remission: their PHQ-9 total is below 5."""

    baseline: int
    total: int


class NotImproving(CarePlanEvent):
    """At the review in week 8 the last complete PHQ-9, if any, did not show that treatment works."""

    week: int
    baseline: int | None
    total: int | None


class DeteriorationDetected(CarePlanEvent):
    """The person got worse: their PHQ-9 total is 5 or more over the baseline."""

    baseline: int
    total: int
    rise: int


class RelapseSignalled(CarePlanEvent):
    """In maintenance, PHQ-9 is ≥ 10 or ≥ 5 over the end-of-acute score; a clinician decides."""

    end_of_acute: int | None
    total: int


class MaintenanceContracted(CarePlanEvent):
    """Maintenance was agreed, or renewed at a review: its frequency, start and next review."""

    frequency: Frequency
    first_on_or_after: date
    review_on: date


class MaintenanceDiscussed(CarePlanEvent):
    """Acute treatment ended, so maintenance is up for discussion; any indications for it are listed."""

    indicated: bool
    indications: tuple[str, ...]


class CarePlanHeld(CarePlanEvent):
    """The course was put on hold, with a reason and a review date."""

    reason: str
    review_on: date
    held_at: datetime


class CarePlanResumed(CarePlanEvent):
    """The hold was lifted and the course continues where it stopped."""

    resumed_at: datetime


class CarePlanClosed(CarePlanEvent):
    """The plan was closed for good, with an outcome and a reason."""

    outcome: Literal["completed", "withdrawn", "transferred", "not_started", "relapsed"]
    reason: str
    closed_at: datetime


class CrisisFlagRaised(Event):
    """Answers given in treatment, or a carer's explicit report, indicate that someone may be in danger."""

    topic: ClassVar[str] = "care-plan.crisis-flags"

    flag_id: str
    plan_id: str
    severity: Literal["high", "moderate", "low"]
    evidence: tuple[str, ...]
    """Codes: phq9_item9, cssrs_high, cssrs_moderate, cssrs_low, explicit, unassessable."""
    clinician_id: str | None
    raised_at: datetime
