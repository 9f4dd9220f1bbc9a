"""HTTP responses of intake. Referrals and import results with a crisis flag carry the crisis lines."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel

from services.intake.domain.crisis import CRISIS_SUPPORT, Evidence, Severity
from services.intake.domain.cssrs import Cssrs, Risk, Status, triage
from services.intake.domain.history import History, maintenance_indications
from services.intake.domain.measures import GAD7, PHQ9, Answer, Answers, Band, Instrument, score
from services.intake.domain.person import Identity, Person
from services.intake.domain.referral import (
    Consent,
    CrisisRecord,
    Incomplete,
    InReview,
    Referral,
    Stage,
    StageName,
)
from services.intake.events import Instrument as Missing
from services.intake.events import ReviewReason

Outcome = Literal["created", "updated", "unchanged"]


class MeasureView(BaseModel):
    items: Answers
    total: int | None
    band: Band | None
    missing_items: tuple[int, ...]
    loinc: str

    @classmethod
    def of(cls, instrument: Instrument, answers: Answers) -> "MeasureView":
        result = score(instrument, answers)
        return cls(
            items=answers,
            total=result.total,
            band=result.band,
            missing_items=result.missing_items,
            loinc=instrument.loinc_total,
        )


class CssrsView(BaseModel):
    answers: Cssrs
    status: Status
    risk: Risk


class ReferralView(BaseModel):
    """A referral in full, without the person's identity."""

    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    source: Literal["form", "import"]
    source_system: str | None
    external_id: str | None
    received_at: datetime
    state: StageName
    stage: Stage
    age: int | None
    consent: Consent | None
    history: History | None
    maintenance_indications: tuple[str, ...]
    phq9: MeasureView
    difficulty: Answer
    gad7: MeasureView
    cssrs: CssrsView
    crisis: CrisisRecord
    crisis_support: str | None

    @classmethod
    def of(cls, referral: Referral, onset_after: int) -> "ReferralView":
        screening, result = referral.screening, triage(referral.screening.cssrs)
        return cls(
            id=referral.id,
            patient_id=referral.patient_id,
            clinic_id=referral.clinic_id,
            clinician_id=referral.clinician_id,
            source=referral.source,
            source_system=referral.system,
            external_id=referral.external_id,
            received_at=referral.received_at,
            state=referral.stage.status,
            stage=referral.stage,
            age=referral.age,
            consent=referral.consent,
            history=referral.history,
            maintenance_indications=maintenance_indications(referral.history, onset_after=onset_after),
            phq9=MeasureView.of(PHQ9, screening.phq9),
            difficulty=screening.difficulty,
            gad7=MeasureView.of(GAD7, screening.gad7),
            cssrs=CssrsView(answers=screening.cssrs, status=result.status, risk=result.risk),
            crisis=referral.crisis,
            crisis_support=support(referral),
        )


class ReferralSummary(BaseModel):
    """A row of the list: what the referral waits for and how urgent it is."""

    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    external_id: str | None
    received_at: datetime
    state: StageName
    missing: tuple[Missing, ...]
    reasons: tuple[ReviewReason, ...]
    phq9_total: int | None
    worst_crisis: Severity | None
    crisis_evidence: tuple[Evidence, ...]
    crisis_support: str | None

    @classmethod
    def of(cls, referral: Referral) -> "ReferralSummary":
        stage = referral.stage
        return cls(
            id=referral.id,
            patient_id=referral.patient_id,
            clinic_id=referral.clinic_id,
            clinician_id=referral.clinician_id,
            external_id=referral.external_id,
            received_at=referral.received_at,
            state=stage.status,
            missing=stage.missing if isinstance(stage, Incomplete) else (),
            reasons=stage.reasons if isinstance(stage, InReview) else (),
            phq9_total=referral.screening.phq9_score.total,
            worst_crisis=referral.crisis.worst,
            crisis_evidence=referral.crisis.evidence,
            crisis_support=support(referral),
        )


class PersonView(Identity):
    """Who a patient is, in full."""

    id: str
    patient_id: str
    clinic_id: str

    @classmethod
    def of(cls, person: Person) -> "PersonView":
        return cls.model_validate(person.model_dump(include=set(cls.model_fields)))


class Name(BaseModel):
    patient_id: str
    given_name: str | None
    family_name: str | None

    @classmethod
    def of(cls, person: Person) -> "Name":
        return cls(patient_id=person.patient_id, given_name=person.given_name, family_name=person.family_name)


class Names(BaseModel):
    """Ids that are unknown, or belong to another clinic, are left out."""

    items: list[Name]


class FoundPerson(Name):
    birth_date: date | None

    @classmethod
    def of(cls, person: Person) -> "FoundPerson":
        return cls(**Name.of(person).model_dump(), birth_date=person.birth_date)


class FoundPeople(BaseModel):
    """People in order of name. `more`: others match too, so more of the name is needed."""

    items: list[FoundPerson]
    more: bool


class RowResult(BaseModel):
    """What became of one row. `codes`: why it was refused; `flagged`: it raised a crisis flag."""

    row: int
    outcome: Outcome | Literal["error"]
    referral_id: str | None = None
    codes: tuple[str, ...] = ()
    flagged: bool = False


class BulkResult(BaseModel):
    results: list[RowResult]
    created: int
    updated: int
    unchanged: int
    errors: int
    crisis_support: str | None

    @classmethod
    def of(cls, results: list[RowResult]) -> "BulkResult":
        def count(outcome: str) -> int:
            return sum(result.outcome == outcome for result in results)

        return cls(
            results=results,
            created=count("created"),
            updated=count("updated"),
            unchanged=count("unchanged"),
            errors=count("error"),
            crisis_support=CRISIS_SUPPORT if any(result.flagged for result in results) else None,
        )


def support(referral: Referral) -> str | None:
    return CRISIS_SUPPORT if referral.crisis.flags else None


class SetAside(BaseModel):
    """A refused form with crisis evidence; its caller knows who it is about."""

    id: str
    caller: str
    at: datetime
    clinic_id: str
    severity: Severity
    evidence: tuple[Evidence, ...]
    times: int


class SetAsideForms(BaseModel):
    items: list[SetAside]
