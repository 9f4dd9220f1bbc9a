"""Requests over HTTP and rows of imports: their shape and translation to the domain."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from services.intake.domain.crisis import Statement
from services.intake.domain.cssrs import Cssrs, YesNo
from services.intake.domain.history import Condition, History
from services.intake.domain.measures import GAD7, PHQ9, Answer, unanswered
from services.intake.domain.person import Identity, Sex
from services.intake.domain.referral import Submission
from services.intake.domain.salvage import stated, yes_or_no
from services.intake.domain.screening import Screening
from services.intake.events import DeclineReason
from shared.http.models import OpaqueId, Strict

ExternalId = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,200}$")]
Note = Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,4000}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s\x00]{1,100}@[^@\s\x00]{1,150}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^[+0-9(). /x-]{3,40}$")]
Years = Annotated[int, Field(ge=0, le=130)]
EarliestBirth = date(1890, 1, 1)

_ANYTHING = 'true or "yes", false or "no"; every other value is kept as unreadable and looked at by a human'
CssrsAnswer = Annotated[YesNo, BeforeValidator(yes_or_no), WithJsonSchema({"description": _ANYTHING})]
CrisisStatement = Annotated[
    Statement,
    BeforeValidator(stated),
    WithJsonSchema(
        {"description": f"Is there a crisis? {_ANYTHING}; null too. Leave it out if nobody asked."}
    ),
]


class PersonForm(Strict):
    """Who is referred. Stays in intake's own database."""

    external_id: ExternalId | None = None
    given_name: Name | None = None
    family_name: Name | None = None
    birth_date: Annotated[date, Field(ge=EarliestBirth)] | None = None
    sex: Sex | None = None
    email: Email | None = None
    phone: Phone | None = None
    note: Note | None = None

    def identity(self) -> Identity:
        return Identity.model_validate(self.model_dump())


class Phq9Form(Strict):
    """Answers to items 1–9 in order: 0–3, "refused", "dont_know", or null for not answered."""

    items: Annotated[tuple[Answer, ...], Field(min_length=9, max_length=9)]
    difficulty: Answer = None


class Gad7Form(Strict):
    """Answers to items 1–7 in order, as for the PHQ-9."""

    items: Annotated[tuple[Answer, ...], Field(min_length=7, max_length=7)]


class CssrsForm(Strict):
    """The C-SSRS screener; `q6_recent`: behaviour within the last three months. Null: not answered."""

    q1: CssrsAnswer = None
    q2: CssrsAnswer = None
    q3: CssrsAnswer = None
    q4: CssrsAnswer = None
    q5: CssrsAnswer = None
    q6: CssrsAnswer = None
    q6_recent: CssrsAnswer = None


class ScreeningForm(Strict):
    """The answers given; they are merged with earlier ones."""

    phq9: Phq9Form | None = None
    gad7: Gad7Form | None = None
    cssrs: CssrsForm | None = None

    def screening(self) -> Screening:
        return Screening(
            phq9=self.phq9.items if self.phq9 else unanswered(PHQ9),
            difficulty=self.phq9.difficulty if self.phq9 else None,
            gad7=self.gad7.items if self.gad7 else unanswered(GAD7),
            cssrs=Cssrs.model_validate(self.cssrs.model_dump()) if self.cssrs else Cssrs(),
        )

    def submission(self) -> Submission:
        return Submission(screening=self.screening())


class HistoryForm(Strict):
    """History that bears on variant and maintenance. `episodes`: the present one included."""

    episodes: Annotated[int, Field(ge=0, le=100)] | None = None
    rapid_recurrence: bool = False
    onset_age: Years | None = None
    severe_episodes: bool = False
    family_history: bool = False
    residual_symptoms: bool = False
    conditions: Annotated[tuple[Condition, ...], Field(max_length=3)] = ()

    def history(self) -> History:
        return History.model_validate(self.model_dump())


class ReferralForm(Strict):
    """A referral. With `external_id` the same referral sent twice is one referral."""

    clinic_id: OpaqueId | None = None
    """Defaults to the caller's clinic."""
    source_system: ExternalId = "unspecified"
    external_id: ExternalId | None = None
    person: PersonForm
    age: Years | None = None
    """Used if no birth date is given."""
    consent: bool | None = None
    history: HistoryForm | None = None
    screening: ScreeningForm | None = None
    crisis: CrisisStatement = "not_stated"
    clinician_id: OpaqueId | None = None

    def submission(self, age: int | None) -> Submission:
        return Submission(
            consent=self.consent,
            age=age,
            history=self.history.history() if self.history else None,
            screening=self.screening.screening() if self.screening else Screening(),
            statement=self.crisis,
            clinician_id=self.clinician_id,
        )


class ImportRow(ReferralForm):
    """A referral from a file: the form with its row number and its id in the source system."""

    row: Annotated[int, Field(ge=1)]
    external_id: ExternalId


class ConsentForm(Strict):
    given: bool


class AgeForm(Strict):
    age: Years


class EnrolForm(Strict):
    """A clinician enrols; `crisis_assessed`: crisis evidence, if there is any, was assessed."""

    decision: Literal["enrol"]
    variant: OpaqueId
    sessions: Annotated[int, Field(ge=1, le=60)]
    crisis_assessed: bool = False


class DeclineForm(Strict):
    decision: Literal["decline"]
    reason: DeclineReason
    alternative_offered: bool
    crisis_assessed: bool = False


Decision = Annotated[EnrolForm | DeclineForm, Field(discriminator="decision")]


class CrisisFlagForm(Strict):
    """A crisis is raised explicitly; every field is optional."""

    by: Literal["patient", "clinician", "coordinator", "relative", "other"] = "other"


class LookupForm(Strict):
    ids: Annotated[tuple[OpaqueId, ...], Field(min_length=1, max_length=200)]


class SearchForm(Strict):
    """The beginnings of a person's names in any order, with or without birth dates; or an external id."""

    text: Annotated[str, StringConstraints(min_length=2, max_length=100)]
