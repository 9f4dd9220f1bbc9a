"""Reactions to what happens to a plan: decide and save. Documents were loaded before.

Messages of a plan arrive in order, so if a plan is unknown, its start is a dead letter. Later facts about it
become dead letters too, to be replayed after the start. Only its end is remembered.
"""

from collections.abc import Callable

from services.scheduler.domain import course, interruptions, maintenance
from services.scheduler.domain.booking import Decision
from services.scheduler.domain.schedule import Schedule
from services.scheduler.inbound import (
    CarePlanClosed,
    CarePlanHeld,
    CarePlanResumed,
    CarePlanStarted,
    ContractRevised,
    MaintenanceContracted,
    PhaseEntered,
    PlanFact,
    SessionAttended,
    SessionCancelled,
    SessionMissed,
)
from services.scheduler.store import SchedulerWork
from shared.errors import Refused


class PlanNotStartedError(LookupError):
    """A fact about a plan whose start was not processed. It must be replayed afterwards, not dropped."""


def when_care_plan_started_book_the_course(fact: CarePlanStarted, work: SchedulerWork) -> None:
    """Books all N sessions: the first within 48 hours, then weekly at the same wall time."""
    known = work.schedules.get(fact.plan_id)
    if known is None:
        diary = work.diary(fact.clinic_id, fact.clinician_id)
        work.keep(*course.start(fact, diary, work.now, work.cause.correlation_id))
    else:
        work.note("book_course", "plan_closed" if known.is_closed else "already_booked")


def when_session_attended_record_it(fact: SessionAttended, work: SchedulerWork) -> None:
    """Fulfils the appointment and checks whether the termination phase is near."""
    schedule = _started(work, fact)
    if schedule.appointment(fact.appointment_id) is None:
        work.note("record_session", "unknown_appointment")
    _keep(work, schedule, course.attend(schedule, fact, work.place, work.diary_of(schedule), work.now))


def when_session_missed_extend_the_course(fact: SessionMissed, work: SchedulerWork) -> None:
    """A no-show is made up for at the end, so that N sessions can still be attended."""
    _decide(
        fact,
        work,
        "record_session",
        lambda schedule: course.miss(schedule, fact, work.diary_of(schedule), work.now),
    )


def when_session_cancelled_extend_the_course(fact: SessionCancelled, work: SchedulerWork) -> None:
    """A cancelled session is made up for at the end."""
    _decide(
        fact,
        work,
        "record_session",
        lambda schedule: course.cancel_session(schedule, fact, work.diary_of(schedule), work.now),
    )


def when_contract_revised_fit_the_course(fact: ContractRevised, work: SchedulerWork) -> None:
    """Appends sessions or cancels the tail, as the new N requires."""
    _decide_open(
        fact,
        work,
        "fit_course",
        lambda schedule: course.revise(schedule, fact, work.place, work.diary_of(schedule), work.now),
    )


def when_phase_entered_remember_it(fact: PhaseEntered, work: SchedulerWork) -> None:
    """Remembers the phase, and cancels upcoming acute appointments once acute treatment is over."""
    _decide_open(
        fact,
        work,
        "remember_phase",
        lambda schedule: interruptions.enter_phase(
            schedule, fact, work.place, work.diary_of(schedule), work.now
        ),
    )


def when_maintenance_contracted_book_it(fact: MaintenanceContracted, work: SchedulerWork) -> None:
    """Books maintenance sessions at the contracted rhythm until the review."""
    _decide_open(
        fact,
        work,
        "book_maintenance",
        lambda schedule: maintenance.contract(schedule, fact, work.place, work.diary_of(schedule), work.now),
    )


def when_care_plan_held_take_the_course_off(fact: CarePlanHeld, work: SchedulerWork) -> None:
    """Takes upcoming appointments off the calendar and schedules the review of the hold."""
    _decide_open(
        fact,
        work,
        "hold_course",
        lambda schedule: interruptions.hold(schedule, fact, work.place, work.clinic_of(schedule), work.now),
    )


def when_care_plan_resumed_book_the_rest(fact: CarePlanResumed, work: SchedulerWork) -> None:
    """Books the rest of the course again, weekly."""
    _decide_open(
        fact,
        work,
        "resume_course",
        lambda schedule: interruptions.resume(schedule, work.place, work.diary_of(schedule), work.now),
    )


def when_care_plan_closed_take_everything_off(fact: CarePlanClosed, work: SchedulerWork) -> None:
    """Cancels upcoming appointments. Unrecorded sessions are still announced as overdue."""
    if work.schedules.get(fact.plan_id) is None:
        work.note("close_schedule", "unknown_plan")
        work.keep(interruptions.closed_unseen(fact))
        return
    _decide_open(fact, work, "close_schedule", lambda schedule: interruptions.close(schedule, fact, work.now))


def _decide_open(
    fact: PlanFact, work: SchedulerWork, decision: str, decide: Callable[[Schedule], Decision]
) -> None:
    """Like `_decide`, but only for plans that are not closed."""
    if _started(work, fact).is_closed:
        return work.note(decision, "plan_closed")
    return _decide(fact, work, decision, decide)


def _decide(
    fact: PlanFact, work: SchedulerWork, decision: str, decide: Callable[[Schedule], Decision]
) -> None:
    """Save the decision, or note an expected refusal. Other refusals, such as a full diary, are raised."""
    schedule = _started(work, fact)
    try:
        decided = decide(schedule)
    except Refused as refused:
        if refused.reason not in EXPECTED_REFUSALS:
            raise
        return work.note(decision, refused.reason)
    return _keep(work, schedule, decided)


EXPECTED_REFUSALS = frozenset(
    {
        "unknown_appointment",
        "already_recorded",
        "resumed_since",
        "held_since",
        "revised_since",
        "phase_entered_since",
        "contracted_since",
    }
)


def _started(work: SchedulerWork, fact: PlanFact) -> Schedule:
    """The plan's schedule. Raises `PlanNotStartedError`."""
    schedule = work.schedules.get(fact.plan_id)
    if schedule is None:
        raise PlanNotStartedError
    return schedule


def _keep(work: SchedulerWork, before: Schedule, decided: Decision) -> None:
    after, events = decided
    if after != before:
        work.keep(after, events)
