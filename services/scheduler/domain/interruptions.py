"""Holds and closure: appointments are taken off the calendar, with the reason, and nothing is lost."""

from datetime import datetime

from services.scheduler.domain import course, maintenance, timers
from services.scheduler.domain.booking import Decision, cancel_all
from services.scheduler.domain.clinics import Clinic
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.schedule import Hold, Schedule, Timer
from services.scheduler.inbound import CarePlanClosed, CarePlanHeld, PhaseEntered
from shared.errors import Refused


def hold(schedule: Schedule, fact: CarePlanHeld, place: int, clinic: Clinic, now: datetime) -> Decision:
    """Cancel sessions after the start of the hold. The hold itself is reviewed on its date.

    clinical.md: a hold has a reason and a review date, shifts the calendar and never mutes crisis.
    `place`: the sequence of the fact's message. Raises `Refused("resumed_since")` if the hold's own end
    was already processed (a replayed dead letter), since nothing would end it again, and
    `Refused("held_since")` if a later hold is in force.
    """
    if place < schedule.resumed:
        raise Refused("resumed_since")
    if schedule.hold is not None and place < schedule.hold.place:
        raise Refused("held_since")
    schedule, superseded = timers.withdraw_plan_timers(schedule, "HoldReviewDue", now=now, reason="changed")
    to_come = [a for a in schedule.booked() if a.starts_at > fact.held_at]
    schedule, events = cancel_all(schedule, to_come, "held", now=now, withdrawn="held")
    schedule = schedule.revised(hold=Hold(since=fact.held_at, review_on=fact.review_on, place=place))
    review_at = timers.moment("HoldReviewDue", fact.review_on, clinic)
    if timers.was_announced(schedule, "HoldReviewDue", review_at):
        review_at = now  # that was for an earlier hold: this one needs its own
    return timers.with_plan_timer(schedule, "HoldReviewDue", review_at), [*superseded, *events]


def resume(schedule: Schedule, place: int, diary: Diary, now: datetime) -> Decision:
    """Book the rest of the course again, weekly. `place`: the sequence of the message that ended the hold.

    If the hold has not been processed yet, its end is remembered. A hold that began later stays in force.
    """
    schedule = schedule.revised(resumed=max(place, schedule.resumed))
    if schedule.hold is None or place < schedule.hold.place:
        return schedule, []
    schedule, events = timers.withdraw_plan_timers(schedule, "HoldReviewDue", now=now, reason="resumed")
    schedule = schedule.revised(hold=None)
    schedule, acute = course.balance(schedule, diary, now, why="hold", surplus="no_longer_needed")
    schedule, later = maintenance.rebook(schedule, diary, now, why=["hold"])
    return schedule, [*events, *acute, *later]


def enter_phase(schedule: Schedule, fact: PhaseEntered, place: int, diary: Diary, now: datetime) -> Decision:
    """Remember the phase. When acute treatment is over, its upcoming appointments are cancelled.

    `place`: the sequence of the fact's message. Raises `Refused("phase_entered_since")`.
    """
    if place < schedule.phase_place:
        raise Refused("phase_entered_since")
    schedule = schedule.revised(phase=fact.phase, phase_place=place)
    return course.balance(schedule, diary, now, why="contract", surplus="no_longer_needed")


def close(schedule: Schedule, fact: CarePlanClosed, now: datetime) -> Decision:
    """Close the plan for good: cancel later sessions and withdraw timers.

    One exception: an unrecorded session from before the closure is still announced as overdue, since it would
    disappear silently otherwise.
    """
    to_come = [a for a in schedule.booked() if a.starts_at > fact.closed_at]
    schedule, events = cancel_all(schedule, to_come, "plan_closed", now=now, withdrawn="plan_closed")
    appointments = []
    for appointment in schedule.appointments:
        kept, skipped = timers.withdraw(
            schedule,
            appointment.timers,
            appointment,
            now=now,
            reason="plan_closed",
            only=_is_moot_after_closure,
        )
        events += skipped
        appointments.append(appointment.model_copy(update={"timers": kept}))
    plan_timers, skipped = timers.withdraw(schedule, schedule.timers, None, now=now, reason="plan_closed")
    closed = {"closed_at": fact.closed_at, "hold": None, "timers": plan_timers}
    return schedule.revised(appointments=tuple(appointments), **closed), [*events, *skipped]


def _is_moot_after_closure(timer: Timer) -> bool:
    return timer.kind != "SessionOverdue"


def closed_unseen(fact: CarePlanClosed) -> Schedule:
    """The schedule of a plan whose closure arrived before its start, so that a late start books nothing."""
    return Schedule(
        id=fact.plan_id,
        patient_id=fact.patient_id,
        clinic_id=fact.clinic_id,
        clinician_id=fact.clinician_id,
        started_at=fact.closed_at,
        phase="closed",
        closed_at=fact.closed_at,
    )
