"""One person as the caseload shows them: referrals, courses of care, open alerts.

Facts of different topics arrive in any order, so each topic has its own fields: the same facts give the same
person whatever their order.
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
    """Codes of what is missing, or of why a human has to decide."""

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
    """The scheduler tells where and when, care_plan how it ended. `starts_at` is `None` until it is known."""

    id: str
    number: int = 0
    kind: str = "acute"
    starts_at: datetime | None = None
    local_time: str = ""
    zone: str = ""
    minutes: int = 0
    clinician_id: str = ""
    moved: str | None = None
    """Why it was moved, a code."""
    withdrawn: str | None = None
    """Why the scheduler cancelled it, a code."""
    outcome: Literal["attended", "missed", "cancelled"] | None = None
    ended_at: datetime | None = None
    overdue: bool = False
    """Its time is past and nobody recorded what happened."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> Status:
        if self.outcome is not None:
            return self.outcome
        return "cancelled" if self.withdrawn else "planned"


class Mark(Frozen):
    """A finding of care_plan's rules: its kind, when it was found, and from which numbers."""

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
    """One episode of care: care_plan's plan with the scheduler's appointments."""

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
    """The frequency of maintenance sessions, once contracted."""
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
        """The PHQ-9 total that care_plan compares with; without one, the first complete PHQ-9."""
        known = [m.baseline for m in self.scores() if m.baseline is not None]
        totals = [m.total for m in self.scores() if m.total is not None]
        return next(iter([*known, *totals]), None)

    @property
    def last(self) -> Measure | None:
        """The last complete PHQ-9."""
        return next((m for m in reversed(self.scores()) if m.total is not None), None)

    @property
    def change(self) -> int | None:
        """Last total minus baseline; negative is better."""
        if self.baseline is None or self.last is None or self.last.total is None:
            return None
        return self.last.total - self.baseline

    @property
    def next_appointment(self) -> Appointment | None:
        """The earliest appointment without a recorded outcome."""
        planned = [a for a in self.appointments if a.status == "planned" and a.starts_at is not None]
        return min(planned, key=lambda a: (a.starts_at, a.id), default=None)

    @property
    def last_contact(self) -> datetime | None:
        """When the last attended session ended."""
        return max(self._ended("attended"), default=None)

    @property
    def missed_since_last_contact(self) -> int:
        """Sessions missed since the last attended one, by session time rather than by time of recording."""
        seen = self.last_contact
        return sum(seen is None or at > seen for at in self._ended("missed"))

    def _ended(self, outcome: str) -> list[datetime]:
        return [a.ended_at for a in self.appointments if a.outcome == outcome and a.ended_at]


class Flag(Frozen):
    """Crisis evidence as it was announced: the rule's codes, when, and how severe."""

    id: str
    severity: str
    evidence: tuple[str, ...]
    at: datetime
    message_id: str = ""
    """The message that announced it; empty for flags stored by older releases."""


class Person(Frozen):
    id: str
    clinic_id: str = UNKNOWN
    referrals: tuple[Referral, ...] = ()
    courses: tuple[Course, ...] = ()
    alerts: tuple[OpenAlert, ...] = ()
    """The unresolved ones, in order of their ids."""
    flags: tuple[Flag, ...] = ()
    alarmed_at: datetime | None = None
    """When evidence last opened or joined a crisis."""
    alarmed_for: tuple[str, ...] = ()
    """The messages whose evidence opened or joined a crisis, in order of their ids."""

    @property
    def course(self) -> Course | None:
        """The latest open episode, else the latest closed one."""
        return max(self.courses, key=lambda c: (c.closed is None, c.episode, c.id), default=None)

    @property
    def referral(self) -> Referral | None:
        """The latest undecided referral, else the latest."""
        return max(
            self.referrals,
            key=lambda r: (r.is_undecided, r.received_at is not None, r.received_at, r.id),
            default=None,
        )

    @property
    def unheard_flags(self) -> tuple[Flag, ...]:
        """Crisis flags without a known alert, as far as was announced.

        A flag is heard once its own message led to a crisis alert, or once a crisis alert was raised or
        joined at or after the flag's time. Flags stored without a message id count as heard.
        """
        return tuple(flag for flag in self.flags if flag.message_id and not self._is_heard(flag))

    def _is_heard(self, flag: Flag) -> bool:
        later = self.alarmed_at is not None and flag.at <= self.alarmed_at
        return later or flag.message_id in self.alarmed_for

    @property
    def clinician(self) -> str | None:
        """The id of the treating clinician, or of the one assigned at referral."""
        course, referral = self.course, self.referral
        if course is not None and course.clinician_id:
            return course.clinician_id
        return referral.clinician_id if referral else None
