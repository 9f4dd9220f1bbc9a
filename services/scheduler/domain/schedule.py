"""The state: one schedule per care plan, with its appointments and the timers of each.

FHIR: an `Appointment` is the promise of a session; its status codes are used verbatim.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any, Literal, Self
from zlib import crc32

from pydantic import AwareDatetime, computed_field

from services.scheduler.domain.clinics import Frozen
from services.scheduler.domain.rules import Announced, announcements
from services.scheduler.domain.wall_time import parse
from services.scheduler.events import CancelReason, Kind, MoveReason

AppointmentStatus = Literal["booked", "fulfilled", "noshow", "cancelled"]
TimerState = Literal["armed", "fired", "skipped", "withdrawn"]
Asked = Literal["patient_asked", "clinician_asked", "clinic_asked"]

SHARDS = 16

ASKS = announcements().asking()
"""Announcements that ask somebody to act. `AnnouncementSettled` follows once that is done or moot."""


class Timer(Frozen):
    """One announcement to be made at `due_at`. It is kept afterwards, with its outcome.

    `session_at`: start of its session; `None` if it is about the whole plan. `reason`: why it was skipped
    (announced as `AnnouncementSkipped`) or withdrawn (before it was due). If it fired: why its request is no
    longer needed (announced as `AnnouncementSettled`).
    """

    kind: Announced
    due_at: AwareDatetime
    session_at: AwareDatetime | None = None
    state: TimerState = "armed"
    reason: str | None = None

    @property
    def is_asking(self) -> bool:
        """Whether it announced a request to act that is neither done nor moot yet."""
        return self.state == "fired" and self.kind in ASKS and self.reason is None


class Appointment(Frozen):
    id: str
    number: int
    """Counts the appointments of its kind from 1."""
    kind: Kind
    state: AppointmentStatus = "booked"
    starts_at: AwareDatetime
    local_time: str
    """Wall time in `zone`, `2026-03-09T10:00`."""
    zone: str
    minutes: int
    regular_on: date
    """Its day in the regular rhythm. The next one is counted from here."""
    adjusted: tuple[MoveReason, ...] = ()
    reason: CancelReason | None = None
    """Why it was cancelled."""
    asked_by: Asked | None = None
    """Who asked for the cancellation, if anybody did."""
    timers: tuple[Timer, ...] = ()

    @property
    def local(self) -> datetime:
        return parse(self.local_time)

    @property
    def is_booked(self) -> bool:
        return self.state == "booked"

    @property
    def is_overdue(self) -> bool:
        """Whether nobody has recorded what happened, and that was announced."""
        return self.is_booked and any(
            t.kind == "SessionOverdue" and t.state == "fired" and t.session_at == self.starts_at
            for t in self.timers
        )


class Hold(Frozen):
    since: AwareDatetime
    review_on: date
    place: int = 0
    """The sequence of the message that started it."""


class Maintenance(Frozen):
    frequency: Literal["weekly", "twice_monthly", "monthly"]
    first_on_or_after: date
    review_on: date
    place: int = 0
    """The sequence of the message that contracted it."""


class Schedule(Frozen):
    """Everything about one plan that follows the calendar. `id` is the plan's.

    A dead letter may be replayed long after later messages. So every fact that steers the course is kept with
    the sequence of its message in care_plan's stream, and an older message changes nothing.
    """

    id: str
    patient_id: str
    clinic_id: str
    clinician_id: str
    story: str = "-"
    """Correlation id of the message that started the plan. Everything the clock causes carries it."""
    started_at: AwareDatetime
    sessions: int = 0
    """N, the contracted number of sessions."""
    termination_sessions: int = 0
    contract_place: int = 0
    """The sequence of the latest message that revised N."""
    attended: int = 0
    """Sessions attended of N. Attendance in maintenance is not counted here."""
    phase: str = "initial"
    phase_place: int = 0
    """The sequence of the message that announced the phase."""
    regular_time: time = time(0)
    """Wall time of the regular sessions."""
    appointments: tuple[Appointment, ...] = ()
    timers: tuple[Timer, ...] = ()
    hold: Hold | None = None
    resumed: int = 0
    """The sequence of the latest message that ended a hold."""
    maintenance: Maintenance | None = None
    termination_announced_for: tuple[int, ...] = ()
    """The values of N for which the coming termination phase was announced."""
    closed_at: AwareDatetime | None = None
    zones_version: str = ""
    """Release of the time zone database used to compute the instants; empty if several were used."""
    hours_version: str = ""
    """Version of the clinic's hours that all upcoming appointments fit; empty if there were several."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def next_due(self) -> datetime | None:
        """When the next announcement is due; indexed."""
        return min((timer.due_at for timer in self.armed()), default=None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waiting(self) -> bool:
        """Whether any announcement is still to be made. The index holds only such schedules."""
        return any(True for _ in self.armed())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def shard(self) -> int:
        """Spreads schedules over the replicas' tickers."""
        return crc32(self.id.encode()) % SHARDS

    def armed(self) -> Iterable[Timer]:
        for appointment in self.appointments:
            for timer in appointment.timers:
                if timer.state == "armed":
                    yield timer
        for timer in self.timers:
            if timer.state == "armed":
                yield timer

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None

    @property
    def in_acute_treatment(self) -> bool:
        """Still within the N contracted sessions."""
        return not self.is_closed and self.phase not in ("ended", "maintenance", "closed")

    def appointment(self, id: str) -> Appointment | None:
        return next((a for a in self.appointments if a.id == id), None)

    def booked(self, kind: Kind | None = None) -> list[Appointment]:
        """Booked appointments by start: upcoming, or not yet recorded."""
        found = [a for a in self.appointments if a.is_booked and kind in (None, a.kind)]
        return sorted(found, key=lambda a: a.starts_at)

    def days(self) -> set[date]:
        """The local days that have an appointment, cancelled ones excluded."""
        return {a.local.date() for a in self.appointments if a.state != "cancelled"}

    def revised(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)

    def replacing(self, changed: Appointment) -> Self:
        """A copy in which this appointment replaces the one with the same id."""
        return self.revised(
            appointments=tuple(changed if a.id == changed.id else a for a in self.appointments)
        )


def appointment_id(plan_id: str, kind: Kind, number: int) -> str:
    return f"{plan_id}.{kind[0]}{number}"


def plan_of(appointment: str) -> str:
    """The plan an appointment's id belongs to."""
    return appointment.rpartition(".")[0]
