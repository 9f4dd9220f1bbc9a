"""HTTP requests: their shape and translation into facts."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.care_plan.domain.closing import ChosenOutcome, CloseReason
from services.care_plan.domain.crisis import Cssrs, Signs, signs_in
from services.care_plan.domain.measures import Gad7, Items, Phq9
from services.care_plan.domain.phases import Handover
from services.care_plan.domain.plan import InventoryEntry, RelapsePrevention
from services.care_plan.domain.protocol import Technique
from services.care_plan.domain.revision import HoldReason, RevisionReason
from services.care_plan.domain.sessions import Attended, Cancelled, CancelReason, Happening, Missed
from services.care_plan.events import Frequency, ProblemArea
from shared.http.models import AwareDatetime, OpaqueId, Strict

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Rank = Annotated[int, Field(ge=1, le=100)]

Points = Annotated[int, Field(ge=0, le=3)]
Answer = Points | Literal["refused", "dont_know"] | None
"""0 not at all … 3 nearly every day. Everything else is *missing*, never 0."""

UNREADABLE = "unreadable"


def _item9(value: Any) -> Any:
    """Keep an invalid answer to item 9 as unreadable, so that a human looks at it."""
    if value in ("refused", "dont_know") or value is None:
        return value
    return value if type(value) is int and 0 <= value <= 3 else UNREADABLE


def _yes_or_no(value: Any) -> Any:
    if value is None or value is True or value is False:
        return value
    return {"yes": True, "no": False}.get(value, UNREADABLE) if isinstance(value, str) else UNREADABLE


Item9 = Annotated[
    Points | Literal["refused", "dont_know", "unreadable"] | None,
    BeforeValidator(_item9),
    WithJsonSchema({"description": "As the other items; any other value is looked at by a human at once"}),
]
YesNo = Annotated[
    bool | Literal["unreadable"] | None,
    BeforeValidator(_yes_or_no),
    WithJsonSchema(
        {"description": 'true or "yes", false or "no", null; any other value is looked at by a human at once'}
    ),
]


def _items(answers: tuple[Any, ...]) -> Items:
    return tuple(answer if isinstance(answer, int) else None for answer in answers)


class Phq9Form(Strict):
    """Answers to items 1–9 in order, and the tenth question, which is never summed."""

    items: tuple[Answer, Answer, Answer, Answer, Answer, Answer, Answer, Answer, Item9]
    difficulty: Answer = None

    def answers(self) -> Phq9:
        return Phq9(
            items=_items(self.items),
            difficulty=self.difficulty if isinstance(self.difficulty, int) else None,
            item9_unreadable=self.items[8] == UNREADABLE,
        )


class Gad7Form(Strict):
    """Answers to items 1–7 in order."""

    items: tuple[Answer, Answer, Answer, Answer, Answer, Answer, Answer]

    def answers(self) -> Gad7:
        return Gad7(items=_items(self.items))


class CssrsForm(Strict):
    """The C-SSRS screener; `q6_recent`: behaviour within the last three months. Null: not answered."""

    q1: YesNo = None
    q2: YesNo = None
    q3: YesNo = None
    q4: YesNo = None
    q5: YesNo = None
    q6: YesNo = None
    q6_recent: YesNo = None

    def answers(self) -> Cssrs:
        given = self.model_dump()
        readable = {name: answer for name, answer in given.items() if isinstance(answer, bool)}
        return Cssrs(**readable, unreadable=UNREADABLE in given.values())


class MeasuresForm(Strict):
    """Questionnaires filled in outside a session."""

    phq9: Phq9Form | None = None
    gad7: Gad7Form | None = None
    cssrs: CssrsForm | None = None

    def phq9_answers(self) -> Phq9 | None:
        return self.phq9.answers() if self.phq9 else None

    def gad7_answers(self) -> Gad7 | None:
        return self.gad7.answers() if self.gad7 else None

    def cssrs_answers(self) -> Cssrs | None:
        return self.cssrs.answers() if self.cssrs else None

    def signs(self) -> Signs | None:
        return signs_in(self.phq9_answers(), self.cssrs_answers())


class AttendedForm(MeasuresForm):
    """The person came. `at`: when, if not now."""

    outcome: Literal["attended"]
    appointment_id: OpaqueId
    at: AwareDatetime | None = None
    techniques: Annotated[tuple[Technique, ...], Field(max_length=7)] = ()

    def happening(self) -> Happening:
        return Attended(
            appointment_id=self.appointment_id,
            at=self.at,
            techniques=tuple(dict.fromkeys(self.techniques)),
            phq9=self.phq9_answers(),
            gad7=self.gad7_answers(),
            cssrs=self.cssrs_answers(),
        )


class MissedForm(Strict):
    """The person did not come."""

    outcome: Literal["missed"]
    appointment_id: OpaqueId
    at: AwareDatetime | None = None

    def happening(self) -> Happening:
        return Missed(appointment_id=self.appointment_id, at=self.at)

    def signs(self) -> Signs | None:
        return None


class CancelledForm(Strict):
    """The session was called off."""

    outcome: Literal["cancelled"]
    appointment_id: OpaqueId
    at: AwareDatetime | None = None
    by: Literal["patient", "clinician", "clinic"]
    reason: CancelReason

    def happening(self) -> Happening:
        return Cancelled(appointment_id=self.appointment_id, at=self.at, by=self.by, reason=self.reason)

    def signs(self) -> Signs | None:
        return None


SessionForm = Annotated[AttendedForm | MissedForm | CancelledForm, Field(discriminator="outcome")]


class EntryForm(Strict):
    """One interpersonal issue; the text never leaves this service."""

    text: Text
    problem_area: ProblemArea | None = None
    rank: Rank | None = None


class InventoryForm(Strict):
    """All entries; they replace those recorded earlier."""

    entries: Annotated[tuple[EntryForm, ...], Field(max_length=100)]

    def inventory(self) -> tuple[InventoryEntry, ...]:
        return tuple(InventoryEntry(**entry.model_dump()) for entry in self.entries)


def _distinct(areas: tuple[ProblemArea, ...]) -> tuple[ProblemArea, ...]:
    if len(set(areas)) != len(areas):
        raise PydanticCustomError("not_distinct", "each problem area at most once")
    return areas


class FocusForm(Strict):
    """One or two problem areas."""

    problem_areas: Annotated[
        tuple[ProblemArea, ...], Field(min_length=1, max_length=2), AfterValidator(_distinct)
    ]


class ContractForm(Strict):
    """A new N, the number of sessions."""

    sessions: Annotated[int, Field(ge=1, le=100)]
    reason: RevisionReason


class HoldForm(Strict):
    reason: HoldReason
    review_on: date


class RelapsePreventionForm(Strict):
    """The plan for afterwards and the signs to act on; the words never leave this service."""

    plan: Text
    contingency_signs: Annotated[tuple[Line, ...], Field(min_length=1, max_length=30)]

    def prevention(self) -> RelapsePrevention:
        return RelapsePrevention(text=self.plan, contingency_signs=self.contingency_signs)


class MaintenanceForm(Strict):
    """A maintenance contract; omitted fields take the protocol's defaults."""

    frequency: Frequency | None = None
    first_on_or_after: date | None = None
    review_on: date | None = None


class MaintenanceReviewForm(Strict):
    """Maintenance continues, perhaps at another frequency."""

    frequency: Frequency | None = None
    review_on: date | None = None


class RelapseForm(Strict):
    """A clinician confirms; the new episode takes the same variant unless another is named."""

    variant: OpaqueId | None = None


class CloseForm(Strict):
    """`crisis_handed_over_to`: who takes over the unresolved crisis of a person who leaves."""

    outcome: ChosenOutcome
    reason: CloseReason
    crisis_handed_over_to: Handover | None = None
