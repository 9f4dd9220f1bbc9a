"""Clinics, diaries, facts and schedules for the scheduler's tests, made by the rules themselves."""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from services.scheduler.domain import course, timers
from services.scheduler.domain.clinics import Clinic, Clinician, Clinics, Leave
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.schedule import Appointment, Schedule
from services.scheduler.domain.wall_time import parse
from services.scheduler.events import ScheduleEvent
from services.scheduler.inbound import (
    CarePlanClosed,
    CarePlanHeld,
    CarePlanResumed,
    CarePlanStarted,
    ContractRevised,
    MaintenanceContracted,
    PhaseEntered,
    SessionAttended,
    SessionCancelled,
    SessionMissed,
)

E = TypeVar("E", bound=ScheduleEvent)

PLAN = "plan_1"
CLINICIAN = "cln_r01"
NEW_YORK = "America/New_York"
MONDAY = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
"""10:30 in New York, six days before the clocks change."""

ABOUT: dict[str, Any] = {"patient_id": "pat_1", "clinic_id": "riverside", "plan_id": PLAN}


def clinic(id: str = "riverside", zone: str = NEW_YORK, **changes: Any) -> Clinic:
    facts: dict[str, Any] = {
        "id": id,
        "zone": zone,
        "hours": {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "17:00"},
        "slot_minutes": 60,
        "holidays": {"country": "US"},
        "clinicians": (Clinician(id=CLINICIAN), Clinician(id="cln_r02")),
    }
    return Clinic.model_validate(facts | changes)


def clinics(*some: Clinic) -> Clinics:
    return Clinics.of("test", some or (clinic(),))


def away(first: date, last: date | None = None) -> Leave:
    return Leave(first=first, last=last or first)


def diary(
    *, leave: Iterable[Leave] = (), taken: Collection[datetime] = (), at: Clinic | None = None
) -> Diary:
    return Diary(at or clinic(), tuple(leave), taken)


def started(
    sessions: int = 12, *, at: datetime = MONDAY, termination: int = 3, plan: str = PLAN
) -> CarePlanStarted:
    return CarePlanStarted(
        **{**ABOUT, "plan_id": plan},
        clinician_id=CLINICIAN,
        sessions=sessions,
        termination_sessions=termination,
        started_at=at,
    )


def course_of(sessions: int = 12, **facts: Any) -> Schedule:
    book = facts.pop("diary", None) or diary()
    now = facts.pop("now", None) or facts.get("at", MONDAY)
    return course.start(started(sessions, **facts), book, now)[0]


def attended(
    appointment: Appointment | str, count: int, sessions: int | None = 12, phase: str = "middle"
) -> SessionAttended:
    id = appointment if isinstance(appointment, str) else appointment.id
    return SessionAttended(**ABOUT, appointment_id=id, attended=count, sessions=sessions, phase=phase)


def missed(appointment: Appointment) -> SessionMissed:
    return SessionMissed(**ABOUT, appointment_id=appointment.id)


def cancelled(appointment: Appointment) -> SessionCancelled:
    return SessionCancelled(**ABOUT, appointment_id=appointment.id)


def revised(sessions: int, termination: int = 3) -> ContractRevised:
    return ContractRevised(**ABOUT, sessions=sessions, termination_sessions=termination)


def held(at: datetime, review_on: date) -> CarePlanHeld:
    return CarePlanHeld(**ABOUT, held_at=at, review_on=review_on)


def resumed(at: datetime) -> CarePlanResumed:
    return CarePlanResumed(**ABOUT, resumed_at=at)


def entered(phase: str, at: datetime = MONDAY) -> PhaseEntered:
    return PhaseEntered(**ABOUT, phase=phase, entered_at=at)


def contracted(frequency: str, first: date, review_on: date) -> MaintenanceContracted:
    return MaintenanceContracted.model_validate(
        {**ABOUT, "frequency": frequency, "first_on_or_after": first, "review_on": review_on}
    )


def closed(at: datetime) -> CarePlanClosed:
    return CarePlanClosed(**ABOUT, clinician_id=CLINICIAN, closed_at=at)


def attend_first(schedule: Schedule, count: int, book: Diary | None = None) -> Schedule:
    """The first so many booked sessions took place, each recorded an hour after its start."""
    for _ in range(count):
        appointment = schedule.booked("acute")[0]
        now = appointment.starts_at + timedelta(hours=1)
        schedule, _ = timers.due(schedule, now)
        fact = attended(appointment, schedule.attended + 1, schedule.sessions)
        schedule, _ = course.attend(schedule, fact, 2, book or diary(), now)
    return schedule


def only(events: Iterable[ScheduleEvent], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def local_times(schedule: Schedule) -> list[str]:
    return [a.local_time for a in schedule.booked()]


def wall(text: str) -> datetime:
    """A wall time."""
    return parse(text)
