"""A referral and its stages: received → incomplete → in review → completed or declined."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.intake.domain import crisis, eligibility
from services.intake.domain.crisis import Assessment, Evidence, Severity, Statement
from services.intake.domain.eligibility import Candidate, Rules
from services.intake.domain.history import History
from services.intake.domain.screening import Screening
from services.intake.events import DeclineReason, Instrument, ReviewReason


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Received(Frozen):
    """Nothing has been answered yet."""

    status: Literal["received"] = "received"


class Incomplete(Frozen):
    """Answers are missing; nothing is assumed in their place."""

    status: Literal["incomplete"] = "incomplete"
    missing: tuple[Instrument, ...]


class InReview(Frozen):
    """A clinician must decide, for these reasons."""

    status: Literal["in_review"] = "in_review"
    reasons: tuple[ReviewReason, ...]
    since: datetime


class Completed(Frozen):
    """Enrolled; the basis of the decision is pinned and does not change with later answers."""

    status: Literal["completed"] = "completed"
    variant: str
    sessions: int
    phq9_total: int
    gad7_total: int | None
    rules_version: str
    decided_by: Literal["rule", "clinician"]
    decider: str | None
    completed_at: datetime


class Declined(Frozen):
    status: Literal["declined"] = "declined"
    reason: DeclineReason
    alternative_offered: bool
    decider: str
    declined_at: datetime


Stage = Annotated[Received | Incomplete | InReview | Completed | Declined, Field(discriminator="status")]
StageName = Literal["received", "incomplete", "in_review", "completed", "declined"]


class Consent(Frozen):
    given: bool
    recorded_at: datetime
    recorded_by: str


class CrisisRecord(Frozen):
    """What was flagged so far. It only ever grows: a later "no" never clears a flag."""

    flags: int = 0
    worst: Severity | None = None
    evidence: tuple[Evidence, ...] = ()


class FlagsSoFar(Frozen):
    """A crisis record whose evidence may include codes unknown to this release."""

    flags: int = 0
    worst: Severity | None = None
    evidence: tuple[str, ...] = ()


class InDanger(Frozen):
    """The part of a referral that a crisis flag needs; fields added by a newer release are ignored."""

    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    crisis: FlagsSoFar = FlagsSoFar()


class Submission(Frozen):
    """What is submitted about a referral; absent fields change nothing."""

    consent: bool | None = None
    age: int | None = None
    history: History | None = None
    screening: Screening = Screening()
    statement: Statement = "not_stated"
    clinician_id: str | None = None


class Referral(Frozen):
    """One person's referral. It has no name and no free text: those belong to `Person`."""

    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    source: Literal["form", "import"]
    system: str | None = None
    external_id: str | None = None
    received_at: datetime
    age: int | None = None
    consent: Consent | None = None
    history: History | None = None
    screening: Screening = Screening()
    statement: Statement = "not_stated"
    crisis: CrisisRecord = CrisisRecord()
    stage: Stage = Received()

    @property
    def is_decided(self) -> bool:
        return isinstance(self.stage, Completed | Declined)

    def assessment(self) -> Assessment:
        conditions = self.history.conditions if self.history else ()
        return crisis.assess(self.screening, self.statement, conditions)

    def candidate(self, others: Sequence["Referral"] = ()) -> Candidate:
        """Input of the rules. `others`: the person's other referrals; undecided ones add their evidence."""
        open_ones = [self, *(other for other in others if not other.is_decided)]
        return Candidate(
            age=self.age,
            consented=None if self.consent is None else self.consent.given,
            history=self.history,
            screening=self.screening,
            crisis=reduce(crisis.worse, (referral.crisis.worst for referral in open_ones)),
            crisis_unknown=any(referral.statement == "unknown" for referral in open_ones),
            referred_already=any(not isinstance(other.stage, Declined) for other in others),
        )

    def missing(self, rules: Rules) -> tuple[Instrument, ...]:
        return eligibility.missing_instruments(self.candidate(), rules)


def unreadable(id: str, patient_id: str) -> Referral:
    """Stand-in for a person's other referral that cannot be read: not declined, its crisis not assessed."""
    return Referral(
        id=id,
        patient_id=patient_id,
        clinic_id="",
        clinician_id="",
        source="form",
        received_at=datetime.min.replace(tzinfo=UTC),
        statement="unknown",
        crisis=CrisisRecord(worst="moderate", evidence=("unassessable",)),
    )
