"""The acute course: weekly sessions until N have been attended, whatever comes between."""

from datetime import datetime

from services.scheduler.domain import timers
from services.scheduler.domain.booking import Decision, book, book_on, cancel, cancel_all, extend, settle
from services.scheduler.domain.clinics import Clinic
from services.scheduler.domain.diary import WEEK, Diary
from services.scheduler.domain.rules import announcements
from services.scheduler.domain.schedule import Appointment, AppointmentStatus, Schedule
from services.scheduler.domain.wall_time import local_of, zones_version
from services.scheduler.events import CancelReason, MoveReason, ScheduleEvent
from services.scheduler.inbound import (
    CarePlanClosed,
    CarePlanHeld,
    CarePlanStarted,
    ContractRevised,
    PhaseEntered,
    SessionAttended,
    SessionCancelled,
    SessionMissed,
)
from shared.errors import Refused
from shared.messaging.event import Inbound


def start(fact: CarePlanStarted, diary: Diary, now: datetime, story: str = "-") -> Decision:
    """Book the whole course on day one: the first session within 48 hours, then weekly at the same wall time.

    clinical.md, The course of care and Time: leave, holidays and hours move a session, with the reason.
    """
    slot, reasons = diary.first(since=fact.started_at, now=now, weeks=fact.sessions)
    schedule = Schedule(
        id=fact.plan_id,
        patient_id=fact.patient_id,
        clinic_id=fact.clinic_id,
        clinician_id=fact.clinician_id,
        story=story,
        started_at=fact.started_at,
        sessions=fact.sessions,
        termination_sessions=fact.termination_sessions,
        regular_time=slot.local.time(),
        zones_version=zones_version(),
        hours_version=diary.clinic.hours_version,
    )
    first_day = slot.local.date()
    schedule, event = book(schedule, "acute", slot, diary.clinic, regular_on=first_day, adjusted=reasons)
    events: list[ScheduleEvent] = [event]
    for week in range(1, fact.sessions):
        schedule, booked = book_on(schedule, "acute", first_day + week * WEEK, diary, now)
        events += booked
    schedule = _with_case_review(schedule, diary.clinic)
    return _with_termination_phase(schedule, events, now)


def _with_case_review(schedule: Schedule, clinic: Clinic) -> Schedule:
    """Week 8: no response by then asks for a case review (Bao et al., ps.201400577)."""
    started_on = local_of(schedule.started_at, clinic.zone).date()
    due_at = timers.moment("CaseReviewDue", started_on, clinic)
    return timers.with_plan_timer(schedule, "CaseReviewDue", due_at)


def _with_termination_phase(schedule: Schedule, events: list[ScheduleEvent], now: datetime) -> Decision:
    """Announce the termination phase one session before it starts (clinical.md: raised before it starts).

    Due as soon as attended ≥ N − T − 1, once for each N.
    """
    lead = announcements()["TerminationPhaseDue"].lead_sessions
    starts_after = schedule.sessions - schedule.termination_sessions - lead
    if (
        not schedule.in_acute_treatment
        or schedule.attended < starts_after
        or schedule.sessions in schedule.termination_announced_for
    ):
        return schedule, events
    schedule = schedule.revised(
        termination_announced_for=(*schedule.termination_announced_for, schedule.sessions)
    )
    schedule, event = timers.fire_at_once(schedule, "TerminationPhaseDue", now)
    return schedule, [*events, event]


def needed(schedule: Schedule) -> int:
    """Sessions still to be attended."""
    return max(0, schedule.sessions - schedule.attended) if schedule.in_acute_treatment else 0


def lacking(schedule: Schedule) -> int:
    """How many appointments the course lacks; negative if it has too many.

    An unrecorded session may have taken place, so it counts as upcoming while other sessions are booked. Once
    no other is left it no longer counts, so that the course never runs dry unnoticed.
    """
    booked = schedule.booked("acute")
    overdue = sum(appointment.is_overdue for appointment in booked)
    coming = len(booked) - overdue
    if coming > needed(schedule):
        return needed(schedule) - coming
    return max(0, needed(schedule) - coming - (overdue if coming else 0))


def balance(
    schedule: Schedule, diary: Diary, now: datetime, *, why: MoveReason, surplus: CancelReason
) -> Decision:
    """Match appointments to the sessions still to be attended: append at the end, or cancel the tail.

    On hold nothing is booked (clinical.md: a hold shifts the calendar).
    """
    lack = lacking(schedule)
    if lack > 0 and schedule.hold is None:
        return extend(schedule, lack, [why], diary, now)
    if lack < 0:
        to_come = [a for a in schedule.booked("acute") if a.starts_at > now]
        return cancel_all(schedule, to_come[lack:], surplus, now=now)
    return schedule, []


def attend(schedule: Schedule, fact: SessionAttended, place: int, diary: Diary, now: datetime) -> Decision:
    """Record an attended session, fit the rest of the course, and check for the termination phase.

    care_plan's count is authoritative. A late fact never lowers it, nor undoes a later revision of N.
    `place`: the sequence of the fact's message.
    """
    events: list[ScheduleEvent] = []
    appointment = schedule.appointment(fact.appointment_id)
    acute = appointment.kind == "acute" if appointment else fact.sessions is not None
    if appointment is not None and appointment.state != "fulfilled":
        schedule, events = settle(schedule, appointment, "fulfilled", now=now, withdrawn="recorded")
    if not acute:
        return schedule, events
    if fact.sessions is not None and fact.attended > schedule.attended:
        sessions = schedule.sessions if place < schedule.contract_place else fact.sessions
        schedule = schedule.revised(sessions=sessions, attended=fact.attended)
    schedule, changes = balance(
        schedule, diary, now, why=_why_lacking(appointment), surplus="no_longer_needed"
    )
    return _with_termination_phase(schedule, events + changes, now)


def _why_lacking(appointment: Appointment | None) -> MoveReason:
    return "unrecorded" if appointment is not None else "contract"


def miss(schedule: Schedule, fact: SessionMissed, diary: Diary, now: datetime) -> Decision:
    """Record a no-show and extend the course at its end, so that N can still be attended.

    clinical.md: only attended sessions count. Raises `Refused`: unknown_appointment, already_recorded.
    """
    return _not_held(schedule, fact.appointment_id, "noshow", diary, now)


def cancel_session(schedule: Schedule, fact: SessionCancelled, diary: Diary, now: datetime) -> Decision:
    """Record a cancellation in care_plan. The session is made up for at the end, like a missed one."""
    return _not_held(schedule, fact.appointment_id, "cancelled", diary, now)


def _not_held(schedule: Schedule, id: str, state: AppointmentStatus, diary: Diary, now: datetime) -> Decision:
    appointment = schedule.appointment(id)
    if appointment is None:
        raise Refused("unknown_appointment")
    if appointment.state in ("fulfilled", "noshow") or appointment.state == state:
        raise Refused("already_recorded")
    if state == "cancelled":
        schedule, events = cancel(schedule, appointment, "session_cancelled", now=now, withdrawn="recorded")
    else:
        schedule, events = settle(schedule, appointment, state, now=now, withdrawn="recorded")
    if appointment.kind != "acute":
        return schedule, events
    why: MoveReason = "cancelled" if state == "cancelled" else "missed"
    schedule, changes = balance(schedule, diary, now, why=why, surplus="no_longer_needed")
    return schedule, events + changes


def revise(schedule: Schedule, fact: ContractRevised, place: int, diary: Diary, now: datetime) -> Decision:
    """A clinician changed N (clinical.md: only an explicit revision does): append or cancel the tail.

    `place`: the sequence of the fact's message. Raises `Refused("revised_since")`.
    """
    if place < schedule.contract_place:
        raise Refused("revised_since")
    schedule = schedule.revised(
        sessions=fact.sessions, termination_sessions=fact.termination_sessions, contract_place=place
    )
    schedule, events = balance(schedule, diary, now, why="contract", surplus="contract_shortened")
    return _with_termination_phase(schedule, events, now)


def has_run_dry(schedule: Schedule) -> bool:
    """Whether a course that is not on hold lacks appointments (see `lacking`)."""
    return schedule.hold is None and lacking(schedule) > 0


def may_book(schedule: Schedule, fact: Inbound) -> bool:
    """Whether reacting to `fact` may need the clinician's diary: `False` only if it certainly does not."""
    match fact:
        case SessionAttended():
            appointment = schedule.appointment(fact.appointment_id)
            if appointment is None:
                return True
            others = sum(not a.is_overdue and a.id != appointment.id for a in schedule.booked("acute"))
            as_planned = (fact.sessions, fact.attended) == (schedule.sessions, schedule.attended + 1)
            return appointment.kind == "acute" and not (as_planned and others >= 1 and appointment.is_booked)
        case PhaseEntered():
            return not schedule.in_acute_treatment
        case CarePlanHeld() | CarePlanClosed():
            return False
        case _:
            return True


def go_on(schedule: Schedule, diary: Diary, now: datetime) -> Decision:
    """Make up for sessions that nobody recorded, so that N can still be attended."""
    return balance(schedule, diary, now, why="unrecorded", surplus="no_longer_needed")
