"""Fields of other services' events that care_plan reads."""

from typing import ClassVar

from pydantic import AwareDatetime

from shared.messaging.event import Inbound


class IntakeCompleted(Inbound):
    topic: ClassVar[str] = "intake.referrals"

    referral_id: str
    completed_at: AwareDatetime
    variant: str
    sessions: int
    clinician_id: str
    phq9_total: int
    gad7_total: int | None
    maintenance_indications: tuple[str, ...]


class PlanDue(Inbound):
    topic: ClassVar[str] = "scheduler.due"

    plan_id: str
    due_at: AwareDatetime


class TerminationPhaseDue(PlanDue):
    attended: int
    sessions: int


class CaseReviewDue(PlanDue):
    week: int


class AlertFact(Inbound):
    topic: ClassVar[str] = "alerts.alerts"

    alert_id: str
    kind: str

    @property
    def is_crisis(self) -> bool:
        return self.kind == "crisis"


class AlertWithEvidence(AlertFact):
    """`evidence_id`: the flag or other evidence behind the alert; older releases omit it."""

    evidence_id: str | None = None


class AlertRaised(AlertWithEvidence):
    pass


class AlertJoined(AlertWithEvidence):
    reopened: bool = False
    """The alert had been taken and is unassigned again; older releases omit this."""


class AlertAcknowledged(AlertFact):
    pass


class AlertAssessed(AlertFact):
    pass


class AlertResolved(AlertFact):
    resolved_at: AwareDatetime
