"""One person as the caseload shows them: referrals, courses of care, open alerts.

Facts of different topics come in any order, so each topic has fields of its own: whatever the order, the
same facts end in the same person.
"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from services.dashboard.domain.alert import OpenAlert

UNKNOWN = "unknown"

ReferralState = Literal["received", "incomplete", "review", "completed", "declined"]
Status = Literal["planned", "attended", "missed", "cancelled"]
PHQ9_MEASURE = "phq9"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)

    def but(self, **changes: Any) -> Any:
        return self.model_copy(update=changes)


class Referral(Frozen):
    id: str
    state: ReferralState = "received"
    received_at: datetime | None = None
    decided_at: datetime | None = None
    clinician_id: str | None = None
    codes: tuple[str, ...] = ()
    """What is missing, or why a human has to decide."""

    @property
    def is_undecided(self) -> bool:
        return self.state in ("received", "incomplete", "review")


class Measure(Frozen):
    """`total` is `None` when an item was not answered: a partial sum is never a score.

    `at`: when it was taken. `baseline`: what care_plan compares with, usually the screening's total.
    """

    at: datetime
    instrument: str
    total: int | None
    attended: int
    baseline: int | None = None


class Appointment(Frozen):
    """Where and when by the scheduler, how it ended by care_plan. `starts_at` is `None` until it is known."""

    id: str
    number: int = 0
    kind: str = "acute"
    starts_at: datetime | None = None
    local_time: str = ""
    zone: str = ""
    minutes: int = 0
    clinician_id: str = ""
    moved: str | None = None
    """Why it does not stand where it stood, a code."""
    withdrawn: str | None = None
    """Why the scheduler took it off, a code."""
    outcome: Literal["attended", "missed", "cancelled"] | None = None
    ended_at: datetime | None = None
    overdue: bool = False
    """Its time is past and nobody said what happened."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> Status:
        if self.outcome is not None:
            return self.outcome
        return "cancelled" if self.withdrawn else "planned"


class Mark(Frozen):
    """A finding of care_plan's rules that explains itself: what was found, when, from which numbers."""

    kind: Literal["response", "remission", "not_improving", "deterioration", "relapse", "phase_overdue"]
    at: datetime
    inputs: dict[str, int | str | None]


class Hold(Frozen):
    reason: str
    review_on: date
    since: datetime
    place: int = 0
    """The sequence of the message that began it."""


class Entered(Frozen):
    phase: str
    at: datetime


class Course(Frozen):
    """One episode of care: the plan by care_plan, its appointments by the scheduler."""

    id: str
    referral_id: str | None = None
    clinician_id: str = ""
    episode: int = 0
    protocol_version: str = ""
    variant: str = ""
    sessions: int = 0
    initial_sessions: int = 0
    termination_sessions: int = 0
    started_at: datetime | None = None
    phases: tuple[Entered, ...] = ()
    attended: int = 0
    missed_in_a_row: int = 0
    focus: tuple[str, ...] = ()
    hold: Hold | None = None
    resumed: int = 0
    """The sequence of the latest message that ended a hold."""
    maintenance: str | None = None
    """Its frequency, once contracted."""
    review_on: date | None = None
    measures: tuple[Measure, ...] = ()
    marks: tuple[Mark, ...] = ()
    closed: str | None = None
    closed_at: datetime | None = None
    appointments: tuple[Appointment, ...] = ()

    @property
    def phase(self) -> str:
        if self.closed is not None:
            return "closed"
        if self.phases:
            return self.phases[-1].phase
        return "initial" if self.started_at is not None else "referred"

    def scores(self, instrument: str = PHQ9_MEASURE) -> list[Measure]:
        return [m for m in self.measures if m.instrument == instrument]

    @property
    def baseline(self) -> int | None:
        """The PHQ-9 that care_plan compares with; without one, the first complete PHQ-9."""
        known = [m.baseline for m in self.scores() if m.baseline is not None]
        totals = [m.total for m in self.scores() if m.total is not None]
        return next(iter([*known, *totals]), None)

    @property
    def last(self) -> Measure | None:
        """The last complete PHQ-9."""
        return next((m for m in reversed(self.scores()) if m.total is not None), None)

    @property
    def change(self) -> int | None:
        """Last against baseline; negative is better."""
        if self.baseline is None or self.last is None or self.last.total is None:
            return None
        return self.last.total - self.baseline

    @property
    def next_appointment(self) -> Appointment | None:
        """The earliest of which nobody has said how it ended."""
        planned = [a for a in self.appointments if a.status == "planned" and a.starts_at is not None]
        return min(planned, key=lambda a: (a.starts_at, a.id), default=None)

    @property
    def last_contact(self) -> datetime | None:
        """The last session the person came to."""
        return max(self._ended("attended"), default=None)

    @property
    def missed_since_last_contact(self) -> int:
        """By when sessions took place, whenever they were recorded."""
        seen = self.last_contact
        return sum(seen is None or at > seen for at in self._ended("missed"))

    def _ended(self, outcome: str) -> list[datetime]:
        return [a.ended_at for a in self.appointments if a.outcome == outcome and a.ended_at]


class Flag(Frozen):
    """Crisis evidence as it was announced: which rule's codes, when, how severe."""

    id: str
    severity: str
    evidence: tuple[str, ...]
    at: datetime
    message_id: str = ""
    """The message that announced it; empty for flags stored before that was kept."""


class Person(Frozen):
    id: str
    clinic_id: str = UNKNOWN
    referrals: tuple[Referral, ...] = ()
    courses: tuple[Course, ...] = ()
    alerts: tuple[OpenAlert, ...] = ()
    """The live ones, in order of their ids."""
    flags: tuple[Flag, ...] = ()
    alarmed_at: datetime | None = None
    """When evidence last opened or joined a crisis."""
    alarmed_for: tuple[str, ...] = ()
    """The messages that did, in order of their ids."""

    @property
    def course(self) -> Course | None:
        """The latest episode of those that run, else of those that are closed."""
        return max(self.courses, key=lambda c: (c.closed is None, c.episode, c.id), default=None)

    @property
    def referral(self) -> Referral | None:
        """The latest one that waits for somebody, else the latest."""
        return max(
            self.referrals,
            key=lambda r: (r.is_undecided, r.received_at is not None, r.received_at, r.id),
            default=None,
        )

    @property
    def unheard_flags(self) -> tuple[Flag, ...]:
        """Crisis flags that are not heard yet, as far as was announced.

        A flag is heard once its own message led to a crisis alert, or a crisis alert was raised or joined at
        or after it. Flags stored without a message id count as heard.
        """
        return tuple(flag for flag in self.flags if flag.message_id and not self._is_heard(flag))

    def _is_heard(self, flag: Flag) -> bool:
        later = self.alarmed_at is not None and flag.at <= self.alarmed_at
        return later or flag.message_id in self.alarmed_for

    @property
    def clinician(self) -> str | None:
        """The id of who treats, or will."""
        course, referral = self.course, self.referral
        if course is not None and course.clinician_id:
            return course.clinician_id
        return referral.clinician_id if referral else None
