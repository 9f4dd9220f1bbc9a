"""Commands of coordinators and clinicians: load, decide, save, reply."""

from datetime import datetime
from uuid import uuid4

from services.scheduler import leave as leaves
from services.scheduler.bookings import booking_id
from services.scheduler.domain import moving
from services.scheduler.domain.booking import Decision
from services.scheduler.domain.clinics import Leave
from services.scheduler.domain.schedule import Appointment, Asked, Schedule, plan_of
from services.scheduler.store import SchedulerWork
from services.scheduler.views import AppointmentView, LeaveList, LeaveView, MovedView, ScheduleView
from shared.http.caller import Call
from shared.http.commands import Reply
from shared.http.guard import if_match
from shared.messaging.work import NotFound

APPOINTMENTS = "appointments"


async def load_appointment(work: SchedulerWork, id: str) -> None:
    """Load the schedule that an appointment belongs to, and its clinician's diary."""
    await work.schedules.load([plan_of(id)])
    schedule = work.schedules.get(plan_of(id))
    if schedule is not None:
        await work.read_diaries([schedule.clinician_id])


def show_schedule(work: SchedulerWork, call: Call, plan_id: str) -> Reply:
    schedule = work.schedules[plan_id]
    call.caller.require_clinic(schedule.clinic_id, "schedules", plan_id)
    return Reply(ScheduleView.of(schedule), version=work.schedules.version(plan_id))


def move_appointment(work: SchedulerWork, call: Call, id: str, local: datetime) -> Reply:
    """Raises `Refused`: see `moving.move_as_asked`."""
    schedule, _ = _appointment(work, call, id)
    after, events, oddity = moving.move_as_asked(schedule, id, local, work.diary_of(schedule), work.now)
    moved = _kept(work, schedule, (after, events), id)
    return Reply(
        MovedView(**moved.model_dump(), local_time_adjusted=oddity),
        version=work.schedules.version(schedule.id),
    )


def cancel_appointment(work: SchedulerWork, call: Call, id: str, by: Asked) -> Reply:
    """Raises `Refused`: see `moving.cancel_as_asked`."""
    schedule, _ = _appointment(work, call, id)
    decided = moving.cancel_as_asked(schedule, id, by, work.diary_of(schedule), work.now)
    cancelled = _kept(work, schedule, decided, id)
    return Reply(cancelled, version=work.schedules.version(schedule.id))


def _appointment(work: SchedulerWork, call: Call, id: str) -> tuple[Schedule, Appointment]:
    schedule = work.schedules.get(plan_of(id))
    appointment = schedule.appointment(id) if schedule else None
    if schedule is None or appointment is None:
        raise NotFound(APPOINTMENTS, id)
    call.caller.require_clinic(schedule.clinic_id, APPOINTMENTS, id)
    if_match(call, work.schedules.version(schedule.id))
    return schedule, appointment


def _kept(work: SchedulerWork, before: Schedule, decided: Decision, id: str) -> AppointmentView:
    after, events = decided
    if after != before:
        work.keep(after, events)
    appointment = after.appointment(id)
    if appointment is None:
        raise NotFound(APPOINTMENTS, id)
    return AppointmentView.of(after, appointment)


def require_clinician(work: SchedulerWork, call: Call, clinician_id: str) -> None:
    """Raises `NotFound` for a clinician without a clinic, or of a clinic other than the caller's."""
    clinic = work.clinics.where_works(clinician_id)
    if clinic is None:
        raise NotFound("clinicians", clinician_id)
    call.caller.require_clinic(clinic.id, "clinicians", clinician_id)


def give_leave(work: SchedulerWork, call: Call, clinician_id: str, leave: Leave) -> Reply:
    """Raises `Refused`: in_the_past, no_free_slot."""
    require_clinician(work, call, clinician_id)
    entry, moved = leaves.give(work, clinician_id, leave, f"lv_{uuid4().hex}")
    location = f"/clinicians/{clinician_id}/leave/{entry.id}"
    return Reply(LeaveView.of(clinician_id, entry, moved), status=201, location=location)


def withdraw_leave(work: SchedulerWork, call: Call, clinician_id: str, leave_id: str) -> Reply:
    require_clinician(work, call, clinician_id)
    leaves.withdraw(work, clinician_id, leave_id)
    return Reply(None, status=204)


def list_leave(work: SchedulerWork, call: Call, clinician_id: str) -> Reply:
    require_clinician(work, call, clinician_id)
    roster = work.rosters.get(clinician_id)
    entries = roster.leave if roster else ()
    return Reply(LeaveList(items=[LeaveView.of(clinician_id, entry) for entry in entries]))


Booked = dict[str, object]


def in_the_calendar(work: SchedulerWork, row: Booked) -> AppointmentView | None:
    """A booking, completed from its schedule; `None` if it moved between the two reads."""
    schedule = work.schedules.get(str(row["plan_id"]))
    appointment = schedule.appointment(str(row["appointment_id"])) if schedule else None
    if schedule is None or appointment is None:
        return None
    if booking_id(schedule.clinician_id, appointment.starts_at) != row["_id"]:
        return None
    return AppointmentView.of(schedule, appointment)
