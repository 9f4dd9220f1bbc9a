"""Booking, cancelling and recording single appointments."""

from collections.abc import Sequence
from datetime import date, datetime

from services.scheduler.domain import timers
from services.scheduler.domain.clinics import Clinic
from services.scheduler.domain.diary import WEEK, Diary, Slot
from services.scheduler.domain.schedule import (
    Appointment,
    AppointmentStatus,
    Schedule,
    appointment_id,
)
from services.scheduler.domain.wall_time import at, written, zones_version
from services.scheduler.events import (
    AppointmentCancelled,
    CancelReason,
    Kind,
    MoveReason,
    ScheduleEvent,
    SessionMoved,
    SessionScheduled,
    Withdrawn,
)

CALLED_OFF: tuple[CancelReason, ...] = ("asked", "session_cancelled")

Decision = tuple[Schedule, list[ScheduleEvent]]


def book(
    schedule: Schedule,
    kind: Kind,
    slot: Slot,
    clinic: Clinic,
    *,
    regular_on: date,
    adjusted: Sequence[MoveReason],
) -> tuple[Schedule, SessionScheduled]:
    """Book one more appointment of a kind into a slot."""
    number = 1 + max((a.number for a in schedule.appointments if a.kind == kind), default=0)
    appointment = Appointment(
        id=appointment_id(schedule.id, kind, number),
        number=number,
        kind=kind,
        starts_at=slot.starts_at,
        local_time=written(slot.local),
        zone=clinic.zone,
        minutes=clinic.slot_minutes,
        regular_on=regular_on,
        adjusted=tuple(dict.fromkeys(adjusted)),
        timers=timers.for_session(kind, slot.starts_at, slot.local, clinic),
    )
    event = SessionScheduled(
        patient_id=schedule.patient_id,
        clinic_id=schedule.clinic_id,
        plan_id=schedule.id,
        clinician_id=schedule.clinician_id,
        appointment_id=appointment.id,
        number=number,
        kind=kind,
        starts_at=appointment.starts_at,
        local_time=appointment.local_time,
        zone=appointment.zone,
        minutes=appointment.minutes,
        adjusted=appointment.adjusted,
    )
    appointments = (*schedule.appointments, appointment)
    return schedule.revised(appointments=appointments, **_versions(schedule, clinic)), event


def _versions(schedule: Schedule, clinic: Clinic) -> dict[str, str]:
    """The versions to store after booking under this clinic's hours and zone rules.

    Each is empty if the rest of the schedule was booked under another version (replicas differ during a
    roll-out): `Alignment` then checks the whole schedule again.
    """
    hours = clinic.hours_version if schedule.hours_version == clinic.hours_version else ""
    rules = zones_version() if schedule.zones_version == zones_version() else ""
    return {"hours_version": hours, "zones_version": rules}


def book_on(
    schedule: Schedule, kind: Kind, day: date, diary: Diary, now: datetime, *, why: Sequence[MoveReason] = ()
) -> Decision:
    """Book the regular wall time of a day, or the nearest open slot with the reason for the shift.

    `why`: reasons why the appointment exists at all (such as making up for a missed session).
    """
    wished = datetime.combine(day, schedule.regular_time)
    obstacle = diary.obstacle(wished)
    days = schedule.days()
    if obstacle is None and day in days:
        obstacle = "double_booking"
    before = [a.starts_at for a in schedule.booked(kind) if a.regular_on < day]
    slot = diary.nearest(wished, after=max([now, *before]), keep_clear=days)
    shifted = [obstacle] if obstacle else ["double_booking"] if slot.local != wished else []
    scheduled, event = book(schedule, kind, slot, diary.clinic, regular_on=day, adjusted=[*why, *shifted])
    return scheduled, [event]


def next_regular_day(schedule: Schedule, now: datetime, clinic: Clinic) -> date:
    """The day on which the rhythm continues: in the future, a week or more after the last that counts.

    A week whose session people called off stays free. Weeks freed by a hold or a contract are used again.
    """
    course = [a for a in schedule.appointments if a.kind == "acute"]
    counting = [a.regular_on for a in course if a.state != "cancelled"]
    called_off = {a.regular_on for a in course if a.state == "cancelled" and a.reason in CALLED_OFF}
    day = max(counting) + WEEK if counting else min(a.regular_on for a in course)
    while day in called_off or at(day, schedule.regular_time, clinic.zone) <= now:
        day += WEEK
    return day


def extend(
    schedule: Schedule, count: int, why: Sequence[MoveReason], diary: Diary, now: datetime
) -> Decision:
    """Append `count` weekly acute sessions at the end of the course."""
    events: list[ScheduleEvent] = []
    for _ in range(count):
        day = next_regular_day(schedule, now, diary.clinic)
        schedule, booked = book_on(schedule, "acute", day, diary, now, why=why)
        events += booked
    return schedule, events


def settle(
    schedule: Schedule,
    appointment: Appointment,
    state: AppointmentStatus,
    *,
    now: datetime,
    withdrawn: Withdrawn,
    reason: CancelReason | None = None,
) -> Decision:
    """Put an appointment into its final state and withdraw its remaining announcements."""
    kept, events = timers.withdraw(schedule, appointment.timers, appointment, now=now, reason=withdrawn)
    changed = appointment.model_copy(update={"state": state, "reason": reason, "timers": kept})
    return schedule.replacing(changed), list(events)


def cancel(
    schedule: Schedule,
    appointment: Appointment,
    reason: CancelReason,
    *,
    now: datetime,
    withdrawn: Withdrawn = "cancelled",
) -> Decision:
    """Cancel with a reason, which frees the slot."""
    schedule, events = settle(schedule, appointment, "cancelled", now=now, withdrawn=withdrawn, reason=reason)
    event = AppointmentCancelled(
        patient_id=schedule.patient_id,
        clinic_id=schedule.clinic_id,
        plan_id=schedule.id,
        clinician_id=schedule.clinician_id,
        appointment_id=appointment.id,
        number=appointment.number,
        kind=appointment.kind,
        starts_at=appointment.starts_at,
        reason=reason,
    )
    return schedule, [event, *events]


def cancel_all(
    schedule: Schedule,
    appointments: Sequence[Appointment],
    reason: CancelReason,
    *,
    now: datetime,
    withdrawn: Withdrawn = "cancelled",
) -> Decision:
    events: list[ScheduleEvent] = []
    for appointment in appointments:
        schedule, cancelled = cancel(schedule, appointment, reason, now=now, withdrawn=withdrawn)
        events += cancelled
    return schedule, events


def move(
    schedule: Schedule,
    appointment: Appointment,
    slot: Slot,
    clinic: Clinic,
    reason: MoveReason,
    *,
    now: datetime,
) -> Decision:
    """Move a booked appointment with its announcements. It keeps its place in the rhythm.

    It takes the clinic's current slot length.
    """
    kept, skipped = timers.withdraw(schedule, appointment.timers, appointment, now=now, reason="moved")
    fresh = timers.for_session(appointment.kind, slot.starts_at, slot.local, clinic)
    changed = appointment.model_copy(
        update={
            "starts_at": slot.starts_at,
            "local_time": written(slot.local),
            "zone": clinic.zone,
            "minutes": clinic.slot_minutes,
            "adjusted": tuple(dict.fromkeys((*appointment.adjusted, reason))),
            "timers": timers.rearmed(appointment.model_copy(update={"timers": kept}), fresh),
        }
    )
    event = _moved(schedule, appointment, changed, reason)
    return schedule.replacing(changed).revised(**_versions(schedule, clinic)), [event, *skipped]


def fit_slot(schedule: Schedule, appointment: Appointment, clinic: Clinic) -> Decision:
    """Give a booked appointment the clinic's current slot length. Its announcements stay."""
    changed = appointment.model_copy(update={"minutes": clinic.slot_minutes})
    return schedule.replacing(changed), [_moved(schedule, appointment, changed, "clinic_hours")]


def _moved(schedule: Schedule, before: Appointment, after: Appointment, reason: MoveReason) -> SessionMoved:
    return SessionMoved(
        patient_id=schedule.patient_id,
        clinic_id=schedule.clinic_id,
        plan_id=schedule.id,
        clinician_id=schedule.clinician_id,
        appointment_id=after.id,
        number=after.number,
        kind=after.kind,
        previous_starts_at=before.starts_at,
        starts_at=after.starts_at,
        local_time=after.local_time,
        zone=after.zone,
        minutes=after.minutes,
        reason=reason,
    )
