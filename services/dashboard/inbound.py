"""The dashboard's own models of other services' events: all of them, with the fields it shows."""

from datetime import date, datetime
from typing import ClassVar

from shared.messaging.event import Inbound

# Intake


class ReferralFact(Inbound):
    topic: ClassVar[str] = "intake.referrals"

    referral_id: str


class ReferralReceived(ReferralFact):
    received_at: datetime
    source: str


class ScreeningIncomplete(ReferralFact):
    missing: tuple[str, ...]


class IntakeReviewRequired(ReferralFact):
    reasons: tuple[str, ...]
    clinician_id: str | None


class IntakeCompleted(ReferralFact):
    completed_at: datetime
    clinician_id: str


class IntakeDeclined(ReferralFact):
    reason: str


# Crisis flags


class CrisisFlag(Inbound):
    flag_id: str
    severity: str
    evidence: tuple[str, ...]
    clinician_id: str | None
    raised_at: datetime


def _crisis_flag_of(owner: str) -> type[CrisisFlag]:
    """The owner's `CrisisFlagRaised`: two services announce an event of that name."""

    class CrisisFlagRaised(CrisisFlag):
        topic: ClassVar[str] = f"{owner}.crisis-flags"

    return CrisisFlagRaised


IntakeCrisisFlagRaised = _crisis_flag_of("intake")
CarePlanCrisisFlagRaised = _crisis_flag_of("care-plan")

# The course of care


class PlanFact(Inbound):
    topic: ClassVar[str] = "care-plan.plans"

    plan_id: str
    clinician_id: str


class CarePlanStarted(PlanFact):
    referral_id: str
    episode: int
    protocol_version: str
    variant: str
    sessions: int
    initial_sessions: int
    termination_sessions: int
    started_at: datetime


class PhaseEntered(PlanFact):
    phase: str
    attended: int
    entered_at: datetime


class PhaseOverdue(PlanFact):
    phase: str
    attended: int
    missing: tuple[str, ...]


class FocusSelected(PlanFact):
    problem_areas: tuple[str, ...]


class ContractRevised(PlanFact):
    sessions: int
    initial_sessions: int
    termination_sessions: int


class SessionAttended(PlanFact):
    appointment_id: str
    attended: int
    phase: str
    attended_at: datetime


class SessionMissed(PlanFact):
    appointment_id: str
    consecutive: int
    missed_at: datetime


class SessionCancelled(PlanFact):
    appointment_id: str
    reason: str
    cancelled_at: datetime


class MeasureRecorded(PlanFact):
    instrument: str
    total: int | None
    baseline: int | None
    attended: int
    recorded_at: datetime
    taken_at: datetime | None = None
    """Older releases omit it."""


class ResponseReached(PlanFact):
    baseline: int
    total: int


class RemissionReached(PlanFact):
    baseline: int
    total: int


class NotImproving(PlanFact):
    week: int
    baseline: int | None
    total: int | None


class DeteriorationDetected(PlanFact):
    baseline: int
    total: int
    rise: int


class RelapseSignalled(PlanFact):
    end_of_acute: int | None
    total: int


class MaintenanceContracted(PlanFact):
    frequency: str
    first_on_or_after: date
    review_on: date


class MaintenanceDiscussed(PlanFact):
    indicated: bool
    indications: tuple[str, ...]


class CarePlanHeld(PlanFact):
    reason: str
    review_on: date
    held_at: datetime


class CarePlanResumed(PlanFact):
    resumed_at: datetime


class CarePlanClosed(PlanFact):
    outcome: str
    reason: str
    closed_at: datetime


# Appointments


class AppointmentFact(Inbound):
    topic: ClassVar[str] = "scheduler.appointments"

    plan_id: str
    clinician_id: str
    appointment_id: str
    number: int
    kind: str
    starts_at: datetime


class SessionScheduled(AppointmentFact):
    local_time: str
    zone: str
    minutes: int


class SessionMoved(AppointmentFact):
    local_time: str
    zone: str
    minutes: int | None = None
    reason: str


class AppointmentCancelled(AppointmentFact):
    reason: str


# What was due


class DueFact(Inbound):
    topic: ClassVar[str] = "scheduler.due"

    plan_id: str
    due_at: datetime


class WeeklySessionDue(DueFact):
    appointment_id: str


class SessionReminderDue(DueFact):
    appointment_id: str


class MaintenanceSessionDue(DueFact):
    appointment_id: str


class SessionOverdue(DueFact):
    appointment_id: str


class TerminationPhaseDue(DueFact):
    pass


class CaseReviewDue(DueFact):
    week: int


class MaintenanceReviewDue(DueFact):
    review_on: date


class HoldReviewDue(DueFact):
    review_on: date


class AnnouncementSkipped(DueFact):
    skipped: str
    reason: str


class AnnouncementSettled(DueFact):
    settled: str
    reason: str


# Alerts


class AlertFact(Inbound):
    topic: ClassVar[str] = "alerts.alerts"

    alert_id: str
    kind: str
    severity: str


class AlertRaised(AlertFact):
    reason: str
    raised_at: datetime
    acknowledge_by: datetime | None


class AlertJoined(AlertFact):
    reason: str
    joined_at: datetime
    acknowledge_by: datetime | None = None
    reopened: bool = False
    """True if nobody holds the alert from then on."""


class AlertNotified(AlertFact):
    delivery_id: str
    step: int
    contact_id: str
    channel: str
    outcome: str
    reason: str
    attempts: int
    at: datetime


class AlertEscalated(AlertFact):
    step: int
    role: str
    reason: str
    escalated_at: datetime
    acknowledge_by: datetime | None = None


class AlertAcknowledged(AlertFact):
    by: str
    acknowledged_at: datetime
    lease_until: datetime | None
    in_time: bool


class AlertHandedOver(AlertFact):
    by: str
    contact_id: str
    handed_over_at: datetime
    answer_by: datetime


class AlertAssessed(AlertFact):
    by: str
    assessed_at: datetime


class AlertResolved(AlertFact):
    by: str
    disposition: str
    resolved_at: datetime
