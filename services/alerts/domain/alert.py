"""An alert: one document that records what is known, who was told, who took it and how it ended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypedDict
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, computed_field

from services.alerts.domain.delivery import Delivery
from services.alerts.domain.reasons import EndReason, RaiseReason, Reason
from services.alerts.events import AlertEvent, AlertKind, DispositionResult, ObligeReason, Severity

NAMESPACE = UUID("0c5a3c0e-63d5-4f0e-8a0b-2d8b3f4b7a52")
UNKNOWN = "unknown"
"""Patient or clinic of a message that could not be read."""

State = Literal["open", "acknowledged", "assessed", "resolved", "informed"]
LIVE: frozenset[State] = frozenset({"open", "acknowledged", "assessed"})
SEVERITIES: tuple[Severity, ...] = ("routine", "low", "moderate", "high")
NOT_PAGED = -1
"""The step of an alert for which nobody has been paged yet."""

FAR = datetime(2300, 1, 1, tzinfo=UTC)


def identify(*parts: str | int) -> str:
    """The opaque id of an alert: the same whenever it is made from the same parts."""
    return "alr_" + uuid5(NAMESPACE, "/".join(str(part) for part in parts)).hex


def rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Evidence(Part):
    """What led to the alert, as ids and codes. `id`: the flag, the message or the dead letter."""

    id: str
    source: Literal["flag", "dead_letter", "fact"]
    severity: Severity
    reason: RaiseReason
    codes: tuple[str, ...] = ()
    at: datetime


class Obligation(Part):
    """Something owed by `due_at`. It ends as met, cancelled with a reason, or breached (announced)."""

    kind: ObligeReason
    due_at: datetime
    state: Literal["open", "met", "cancelled", "breached"] = "open"
    reason: str | None = None
    ended_at: datetime | None = None


class Decision(Part):
    """Whether to notify, and why. Repeating the latest decision increments its `times` instead."""

    at: datetime
    what: Literal["notify", "wait", "skip", "oblige", "end"]
    reason: Reason
    step: int
    deliveries: int = 0
    """Deliveries that this decision created."""
    times: int = 1
    last_at: datetime | None = None


class Acknowledgement(Part):
    """A lease: it ends at `lease_until` unless an assessment is recorded."""

    by: str
    at: datetime
    in_time: bool
    lease_until: datetime | None


class Assessment(Part):
    by: str
    at: datetime
    result: DispositionResult
    contact_made: bool


class Disposition(Part):
    """How it ended. For a crisis: the assessment's result, safety plan yes or no, the next contact."""

    result: DispositionResult
    safety_plan: bool | None = None
    next_contact: datetime | None = None


class Ending(Part):
    by: str
    """Who resolved it; `rule` if a later fact settled it or telling somebody was enough."""
    at: datetime
    reason: EndReason
    disposition: Disposition | None = None


class Alert(Part):
    """`about`: what it is about. At most one alert is live per (kind, about)."""

    id: str
    patient_id: str
    clinic_id: str
    kind: AlertKind
    severity: Severity
    state: State = "open"
    about: str
    reason: RaiseReason
    informational: bool = False
    """It ends once a contact has been told."""
    plan_id: str | None = None
    clinician_id: str | None = None
    raised_at: datetime
    step: int = NOT_PAGED
    step_due: datetime | None = None
    """When the next step, repetition, reminder or digest is due."""
    round: int = 0
    """How many times people were told."""
    silenced: int = 0
    """Rounds up to here are silenced by an acknowledgement."""
    evidence: tuple[Evidence, ...] = ()
    evidence_count: int = 0
    obligations: tuple[Obligation, ...] = ()
    decisions: tuple[Decision, ...] = ()
    acknowledgement: Acknowledgement | None = None
    times_taken: int = 0
    handed_to: str | None = None
    answer_by: datetime | None = None
    """Deadline for the answer of the person it was handed to."""
    had_by: tuple[str, ...] = ()
    """Former holders, unassigned because of new evidence. The next page tells them too."""
    assessment: Assessment | None = None
    ending: Ending | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def live(self) -> bool:
        return self.state in LIVE

    @computed_field  # type: ignore[prop-decorator]
    @property
    def lane(self) -> Literal["page", "digest"]:
        return "digest" if self.severity == "routine" else "page"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def next_due(self) -> datetime | None:
        """When the next automatic action is due."""
        if not self.live:
            return None
        moments = [o.due_at for o in self.obligations if o.state == "open"]
        if self.step_due is not None:
            moments.append(self.step_due)
        if self.acknowledgement is not None and self.acknowledgement.lease_until is not None:
            moments.append(self.acknowledgement.lease_until)
        return min(moments, default=None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waiting(self) -> bool:
        return self.next_due is not None

    @property
    def holders(self) -> tuple[str, ...]:
        """Who has it: the person who took it, and the one asked to take it over who has not answered yet."""
        taken_by = None if self.acknowledgement is None else self.acknowledgement.by
        return tuple(subject for subject in (taken_by, self.handed_to) if subject is not None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def position(self) -> str:
        """Sort key for lists: live before ended, then severe first, then oldest first (latest if ended)."""
        age = self.raised_at if self.live else datetime.fromtimestamp(0, UTC) + (FAR - self.raised_at)
        return f"{'0' if self.live else '1'}{3 - rank(self.severity)}{age.isoformat()}{self.id}"

    def decided(
        self,
        now: datetime,
        what: Literal["notify", "wait", "skip", "oblige", "end"],
        reason: Reason,
        *,
        step: int | None = None,
        deliveries: int = 0,
    ) -> "Alert":
        """A copy of the alert with this decision recorded."""
        step = self.step if step is None else step
        last = self.decisions[-1] if self.decisions else None
        if last is not None and (last.what, last.reason, last.step) == (what, reason, step):
            again = last.model_copy(
                update={
                    "times": last.times + 1,
                    "last_at": now,
                    "deliveries": last.deliveries + deliveries,
                }
            )
            return self.model_copy(update={"decisions": (*self.decisions[:-1], again)})
        decision = Decision(at=now, what=what, reason=reason, step=step, deliveries=deliveries)
        return self.model_copy(update={"decisions": (*self.decisions, decision)})


class Heading(TypedDict):
    patient_id: str
    clinic_id: str
    alert_id: str
    kind: AlertKind
    severity: Severity


def heading(alert: Alert) -> Heading:
    """The fields common to all announcements about an alert."""
    return {
        "patient_id": alert.patient_id,
        "clinic_id": alert.clinic_id,
        "alert_id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a rule: the alert's new state, the events to announce and the deliveries to make."""

    alert: Alert
    events: tuple[AlertEvent, ...] = ()
    deliveries: tuple[Delivery, ...] = field(default=())

    def then(self, rule: Callable[[Alert], "Outcome"]) -> "Outcome":
        """Apply another rule to the new state."""
        after = rule(self.alert)
        return Outcome(after.alert, (*self.events, *after.events), (*self.deliveries, *after.deliveries))

    def announcing(self, events: Iterable[AlertEvent]) -> "Outcome":
        return Outcome(self.alert, (*self.events, *events), self.deliveries)
