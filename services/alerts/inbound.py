"""The fields of others' events that alerts reads: ids, codes and instants only."""

from datetime import date, datetime
from typing import ClassVar, Literal

from shared.messaging.event import Inbound


class CrisisFlag(Inbound):
    """One shape for both services' flags. An unknown severity is refused here and pages as a dead letter."""

    flag_id: str
    severity: Literal["high", "moderate", "low"]
    evidence: tuple[str, ...]
    clinician_id: str | None = None
    raised_at: datetime


def _crisis_flag_of(owner: str) -> type[CrisisFlag]:
    """The owner's `CrisisFlagRaised`: two services announce one under the same name."""

    class CrisisFlagRaised(CrisisFlag):
        topic: ClassVar[str] = f"{owner}.crisis-flags"

    return CrisisFlagRaised


IntakeCrisisFlagRaised = _crisis_flag_of("intake")
CarePlanCrisisFlagRaised = _crisis_flag_of("care-plan")


class PlanFact(Inbound):
    topic: ClassVar[str] = "care-plan.plans"

    plan_id: str
    clinician_id: str


class PhaseEntered(PlanFact):
    phase: str


class PhaseOverdue(PlanFact):
    phase: str
    missing: tuple[str, ...] = ()


class ContractRevised(PlanFact):
    sessions: int
    initial_sessions: int
    attended: int


class SessionAttended(PlanFact):
    appointment_id: str
    attended_at: datetime


class SessionMissed(PlanFact):
    appointment_id: str
    consecutive: int
    missed_at: datetime
    after_closure: bool = False


class SessionCancelled(PlanFact):
    appointment_id: str


class NotImproving(PlanFact):
    week: int


class DeteriorationDetected(PlanFact):
    pass


class RelapseSignalled(PlanFact):
    pass


class MaintenanceContracted(PlanFact):
    pass


class MaintenanceDiscussed(PlanFact):
    pass


class CarePlanResumed(PlanFact):
    pass


class CarePlanClosed(PlanFact):
    pass


class DueFact(Inbound):
    topic: ClassVar[str] = "scheduler.due"

    plan_id: str
    clinician_id: str
    due_at: datetime


class TerminationPhaseDue(DueFact):
    pass


class MaintenanceSessionDue(DueFact):
    appointment_id: str


class SessionOverdue(DueFact):
    appointment_id: str
    starts_at: datetime


class CaseReviewDue(DueFact):
    week: int


class HoldReviewDue(DueFact):
    review_on: date


class MaintenanceReviewDue(DueFact):
    review_on: date


class AnnouncementSettled(DueFact):
    settled: str
    """The type of the event that was announced."""
    appointment_id: str | None
    reason: str


class ReferralFact(Inbound):
    topic: ClassVar[str] = "intake.referrals"

    referral_id: str


class IntakeReviewRequired(ReferralFact):
    reasons: tuple[str, ...] = ()
    clinician_id: str | None = None


class ScreeningIncomplete(ReferralFact):
    missing: tuple[str, ...] = ()


class IntakeCompleted(ReferralFact):
    pass


class IntakeDeclined(ReferralFact):
    pass


class DeadLetter(Inbound):
    dead_letter_id: str
    service: str
    reason: str
    crisis: bool
    set_aside_at: datetime


def _dead_letter_of(owner: str) -> type[DeadLetter]:
    """Every service announces its own dead letters on a topic of its own."""

    class MessageDeadLettered(DeadLetter):
        topic: ClassVar[str] = f"{owner}.dead-letters"

    return MessageDeadLettered


DEAD_LETTERS: tuple[type[DeadLetter], ...] = tuple(
    _dead_letter_of(owner) for owner in ("intake", "care-plan", "scheduler", "alerts", "dashboard")
)
