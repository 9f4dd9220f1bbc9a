"""Appointments moved or cancelled because somebody asks or is away, or hours or the zone's rules changed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scheduler.domain import course, rules
from services.scheduler.domain.booking import Decision, cancel, fit_slot, move
from services.scheduler.domain.clinics import Clinic, Leave
from services.scheduler.domain.diary import Diary, Slot
from services.scheduler.domain.schedule import Appointment, Asked, Schedule
from services.scheduler.domain.wall_time import Oddity, resolve, zones_version
from services.scheduler.events import MoveReason, ScheduleEvent, SessionMoved
from shared.errors import Refused

REFUSALS: dict[MoveReason, str] = {
    "clinic_hours": "outside_clinic_hours",
    "holiday": "holiday",
    "clinician_leave": "clinician_on_leave",
    "double_booking": "slot_taken",
}


def move_as_asked(
    schedule: Schedule, id: str, local: datetime, diary: Diary, now: datetime
) -> tuple[Schedule, list[ScheduleEvent], Oddity | None]:
    """Move an appointment to a wall time. Also returns whether that time is odd (exists twice or never).

    Raises `Refused`: already_recorded, already_cancelled, in_the_past, outside_clinic_hours, holiday,
    clinician_on_leave, slot_taken; too_far_ahead, since a mistyped year would end the course unnoticed.
    """
    appointment = _movable(schedule, id, now)
    moment = resolve(local, diary.clinic.zone)
    if moment.starts_at <= now:
        raise Refused("in_the_past")
    if moment.starts_at == appointment.starts_at:
        return schedule, [], moment.oddity
    if moment.local - appointment.local > timedelta(days=rules.course().search_days):
        raise Refused("too_far_ahead")
    if (obstacle := diary.obstacle(moment.local)) is not None:
        raise Refused(REFUSALS[obstacle])
    slot = Slot(moment.starts_at, moment.local)
    schedule, events = move(schedule, appointment, slot, diary.clinic, "asked", now=now)
    return schedule, events, moment.oddity


def cancel_as_asked(schedule: Schedule, id: str, by: Asked, diary: Diary, now: datetime) -> Decision:
    """Cancel an upcoming appointment. An acute one is made up for at the end of the course.

    Raises `Refused`: already_recorded, already_cancelled, in_the_past.
    """
    appointment = _movable(schedule, id, now).model_copy(update={"asked_by": by})
    schedule, events = cancel(schedule, appointment, "asked", now=now)
    schedule, changes = course.balance(schedule, diary, now, why="cancelled", surplus="no_longer_needed")
    return schedule, events + changes


def _movable(schedule: Schedule, id: str, now: datetime) -> Appointment:
    appointment = schedule.appointment(id)
    if appointment is None:
        raise Refused("unknown_appointment")
    match appointment.state:
        case "fulfilled" | "noshow":
            raise Refused("already_recorded")
        case "cancelled":
            raise Refused("already_cancelled")
        case "booked":
            if appointment.starts_at <= now:
                raise Refused("in_the_past")
            return appointment


def make_way(schedule: Schedule, leave: Sequence[Leave], diary: Diary, now: datetime) -> Decision:
    """Move appointments on days of leave to the nearest open slots (clinical.md: never silently dropped)."""

    def is_away(appointment: Appointment) -> MoveReason | None:
        day = appointment.local.date()
        return "clinician_leave" if any(away.covers(day) for away in leave) else None

    return _moved(schedule, is_away, diary, now)


def fit_hours(schedule: Schedule, diary: Diary, now: datetime) -> Decision:
    """Move appointments that do not fit the clinic's new hours, slots or holidays to an open slot.

    If the slot length has changed, sessions take the new one, since two could overlap otherwise. Raises
    `Refused("no_free_slot")`.
    """

    def is_outside(appointment: Appointment) -> MoveReason | None:
        obstacle = diary.obstacle(appointment.local)
        return None if obstacle == "double_booking" else obstacle  # taken by this appointment itself

    schedule, events = _moved(schedule, is_outside, diary, now)
    for appointment in schedule.booked():
        if appointment.starts_at > now and appointment.minutes != diary.clinic.slot_minutes:
            schedule, fitted = fit_slot(schedule, appointment, diary.clinic)
            events += fitted
    return schedule.revised(hours_version=diary.clinic.hours_version), events


def _moved(
    schedule: Schedule, why: Callable[[Appointment], MoveReason | None], diary: Diary, now: datetime
) -> Decision:
    """Move every upcoming session that cannot stay to the nearest open slot."""
    events: list[ScheduleEvent] = []
    for appointment in schedule.booked():
        if appointment.starts_at <= now or (reason := why(appointment)) is None:
            continue
        others = schedule.days() - {appointment.local.date()}
        slot = diary.nearest(appointment.local, after=now, keep_clear=others)
        schedule, moved = move(schedule, appointment, slot, diary.clinic, reason, now=now)
        events += moved
    return schedule, events


def keep_wall_times(schedules: Sequence[Schedule], diary: Diary, now: datetime) -> list[Decision]:
    """Keep the wall times of a clinician's upcoming sessions after new zone rules or a new clinic zone.

    They move together, since one may take another's slot. A session whose wall time has passed, or is taken
    by one that does not move, gets the nearest open slot after all others have theirs. Raises
    `Refused("no_free_slot")`.
    """
    leaving = {a.starts_at for schedule in schedules for a in _misplaced(schedule, diary.clinic, now)}
    taken = set(diary.taken) - leaving
    decisions: list[Decision] = [(schedule, []) for schedule in schedules]
    for decide in (_keep_wall_time, _find_another_time):
        for number, (schedule, before) in enumerate(decisions):
            after, events = decide(schedule, replace(diary, taken=taken), now)
            taken |= {event.starts_at for event in events if isinstance(event, SessionMoved)}
            decisions[number] = (after, [*before, *events])
    return decisions


def _misplaced(schedule: Schedule, clinic: Clinic, now: datetime) -> list[Appointment]:
    """Upcoming sessions whose instant or zone does not match their wall time at the clinic."""

    def is_in_place(appointment: Appointment) -> bool:
        starts_at = resolve(appointment.local, clinic.zone).starts_at
        return (appointment.starts_at, appointment.zone) == (starts_at, clinic.zone)

    return [a for a in schedule.booked() if a.starts_at > now and not is_in_place(a)]


def _keep_wall_time(schedule: Schedule, diary: Diary, now: datetime) -> Decision:
    """Move the sessions that can keep their wall time. Announcements already made are not repeated."""
    events: list[ScheduleEvent] = []
    for appointment in _misplaced(schedule, diary.clinic, now):
        moment = resolve(appointment.local, diary.clinic.zone)
        if moment.starts_at <= now or moment.starts_at in diary.taken:
            continue
        retold = tuple(
            timer.model_copy(update={"session_at": moment.starts_at})
            if timer.state in ("fired", "skipped") and timer.session_at == appointment.starts_at
            else timer
            for timer in appointment.timers
        )
        known = appointment.model_copy(update={"timers": retold})
        slot = Slot(moment.starts_at, moment.local)
        schedule, moved = move(schedule, known, slot, diary.clinic, "zone_changed", now=now)
        events += moved
    return schedule, events


def _find_another_time(schedule: Schedule, diary: Diary, now: datetime) -> Decision:
    """Move the remaining sessions to another wall time. Everything about them is announced again."""
    left = {appointment.id for appointment in _misplaced(schedule, diary.clinic, now)}
    schedule, events = _moved(schedule, lambda a: "zone_changed" if a.id in left else None, diary, now)
    return schedule.revised(zones_version=zones_version()), events
