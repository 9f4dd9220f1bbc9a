"""The care plan: one episode's course of treatment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from services.care_plan.domain.frozen import Frozen
from services.care_plan.domain.phases import Closed, Ended, Hold, Initial, Maintenance, Phase
from services.care_plan.domain.protocol import Contract, Instrument, Protocol, Technique
from services.care_plan.domain.refusals import refuse
from services.care_plan.events import CarePlanStarted, PhaseName, ProblemArea
from shared.messaging.event import Event

WESTERNMOST = timedelta(hours=-12)
"""UTC offset of the zone where each day ends last."""

Standing = Literal["response", "remission", "deterioration", "relapse_signal"]
"""State that the last complete PHQ-9 puts the person in; announced when entered."""


class InventoryEntry(Frozen):
    """One interpersonal issue in the clinician's words; the words never leave this service."""

    text: str
    problem_area: ProblemArea | None = None
    rank: int | None = None


class RecordedSession(Frozen):
    """What became of one appointment."""

    appointment_id: str
    outcome: Literal["attended", "missed", "cancelled"]
    at: datetime
    phase: PhaseName
    number: int | None = None
    """Number among the attended sessions; in maintenance, among those of the maintenance contract."""
    techniques: tuple[Technique, ...] = ()
    cancelled_by: Literal["patient", "clinician", "clinic"] | None = None
    reason: str | None = None
    content: str
    """Digest of what was recorded. An equal digest is a repeat; a different one is a contradiction."""


class Measure(Frozen):
    """Answers to one instrument. `total` is `None` when an item is missing."""

    instrument: Instrument
    items: tuple[int | None, ...]
    difficulty: int | None = None
    total: int | None
    phase: PhaseName
    attended: int
    recorded_at: datetime
    taken_at: datetime = Field(default_factory=lambda known: known["recorded_at"])
    """When the person answered: a session may be recorded weeks later. Older releases did not keep it."""


class EndingRaised(Frozen):
    """The ending was raised with the person's clinician before the termination phase, for this N."""

    sessions: int
    attended: int
    due_at: datetime


class RelapsePrevention(Frozen):
    """The plan for afterwards and the signs to act on; the words never leave this service."""

    text: str
    contingency_signs: tuple[str, ...]


class Plan(Frozen):
    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    referral_id: str
    episode: int
    """The patient's first plan is 1."""
    origin: Literal["intake", "relapse"]
    started_at: datetime
    contract: Contract
    phase: Phase
    hold: Hold | None = None
    attended: int = 0
    """Attended sessions of acute treatment."""
    missed_in_a_row: int = 0
    baseline_phq9: int | None
    baseline_gad7: int | None
    history_indications: tuple[str, ...] = ()
    inventory: tuple[InventoryEntry, ...] = ()
    inventory_completed_at: datetime | None = None
    focus: tuple[ProblemArea, ...] = ()
    sessions: tuple[RecordedSession, ...] = ()
    measures: tuple[Measure, ...] = ()
    standing: tuple[Standing, ...] = ()
    overdue: tuple[PhaseName, ...] = ()
    """Phases already announced as overdue."""
    not_improving_since: datetime | None = None
    ending_raised: EndingRaised | None = None
    relapse_prevention: RelapsePrevention | None = None
    alternative_offered_at: datetime | None = None
    crisis_flags: int = 0

    @property
    def remaining(self) -> int:
        return self.contract.sessions - self.attended

    @property
    def attended_here(self) -> int:
        """Attended sessions of the current contract: acute treatment or maintenance."""
        return self.phase.attended if isinstance(self.phase, Maintenance) else self.attended

    def last_measure(self, instrument: Instrument = "phq9") -> Measure | None:
        """The complete measure taken last, whenever it was recorded; the intake baseline is not included."""
        complete = [m for m in self.measures if m.instrument == instrument and m.total is not None]
        return max(reversed(complete), key=lambda measure: measure.taken_at, default=None)

    def last_total(self, instrument: Instrument = "phq9") -> int | None:
        """Total of the complete measure taken last."""
        last = self.last_measure(instrument)
        return None if last is None else last.total

    def changed(self, **fields: Any) -> Self:
        return self.model_copy(update=fields)

    @property
    def identity(self) -> dict[str, str]:
        """Fields that every event about this plan carries."""
        return {
            "patient_id": self.patient_id,
            "clinic_id": self.clinic_id,
            "plan_id": self.id,
            "clinician_id": self.clinician_id,
        }


class InDanger(BaseModel):
    """The part of a plan that a crisis flag needs; fields added by a newer release are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    crisis_flags: int = 0

    def changed(self, **fields: Any) -> Self:
        return self.model_copy(update=fields)


@dataclass(frozen=True, slots=True)
class Moment:
    """Context of a decision: the current time, the plan's protocol, whether a crisis is unresolved."""

    now: datetime
    protocol: Protocol
    in_crisis: bool = False

    @property
    def earliest_today(self) -> date:
        """Today in the westernmost zone: earlier days are past in every zone. Plans have no zone."""
        return (self.now + WESTERNMOST).date()


Decision = tuple[Plan, list[Event]]


def derived_id(kind: str, *about: str | int) -> str:
    """Derive an opaque id; the same parts always give the same id."""
    source = "/".join(str(part) for part in (kind, *about))
    return f"{kind}_{blake2b(source.encode(), digest_size=16, person=b'care_plan').hexdigest()}"


@lru_cache(maxsize=2048)
def plan_id_of(referral_id: str) -> str:
    """Id of the one plan of a referral, however often the referral is announced."""
    return derived_id("pln", referral_id)


def started(plan: Plan) -> CarePlanStarted:
    return CarePlanStarted(
        **plan.identity,
        referral_id=plan.referral_id,
        episode=plan.episode,
        protocol_version=plan.contract.protocol_version,
        variant=plan.contract.variant,
        sessions=plan.contract.sessions,
        initial_sessions=plan.contract.initial_sessions,
        termination_sessions=plan.contract.termination_sessions,
        started_at=plan.started_at,
    )


@lru_cache(maxsize=64)
def _unstarted(contract: Contract) -> Plan:
    """Template for new plans under a contract, validated once: thousands may start in a second."""
    never = datetime.min.replace(tzinfo=UTC)
    return Plan(
        id="",
        patient_id="",
        clinic_id="",
        clinician_id="",
        referral_id="",
        episode=1,
        origin="intake",
        started_at=never,
        contract=contract,
        phase=Initial(entered_at=never),
        baseline_phq9=None,
        baseline_gad7=None,
    )


def start(
    *,
    patient_id: str,
    clinic_id: str,
    clinician_id: str,
    referral_id: str,
    episode: int,
    contract: Contract,
    started_at: datetime,
    baseline_phq9: int,
    baseline_gad7: int | None,
    history_indications: Iterable[str],
) -> Decision:
    """Referred → initial: intake ensured complete measures, risk and variant (clinical.md, phase table).

    The course starts with the completed intake, as do the 48 hours to the first appointment.
    """
    plan = _unstarted(contract).changed(
        id=plan_id_of(referral_id),
        patient_id=patient_id,
        clinic_id=clinic_id,
        clinician_id=clinician_id,
        referral_id=referral_id,
        episode=episode,
        started_at=started_at,
        phase=Initial(entered_at=started_at),
        baseline_phq9=baseline_phq9,
        baseline_gad7=baseline_gad7,
        history_indications=tuple(history_indications),
    )
    return plan, [started(plan)]


Required = TypeVar("Required", Ended, Maintenance)


def require(plan: Plan, phase: type[Required]) -> Required:
    """Return the plan's phase, which must be of this type. Refuses `plan_closed` or `wrong_phase`."""
    if isinstance(plan.phase, phase):
        return plan.phase
    name: PhaseName = phase.model_fields["name"].default
    return _refuse_phase(plan, name)


def require_phase(plan: Plan, *allowed: PhaseName) -> None:
    """Refuses `plan_closed` or `wrong_phase`."""
    if plan.phase.name not in allowed:
        _refuse_phase(plan, *allowed)


def _refuse_phase(plan: Plan, *allowed: PhaseName) -> NoReturn:
    if isinstance(plan.phase, Closed):
        refuse("plan_closed")
    refuse("wrong_phase", phase=plan.phase.name, allowed=list(allowed))
