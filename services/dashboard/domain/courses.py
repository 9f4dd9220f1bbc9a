"""Folds care_plan's facts: phases, sessions as they happened, measures, findings."""

from datetime import datetime
from typing import Any

from services.dashboard import inbound
from services.dashboard.domain.parts import on_appointment, on_course
from services.dashboard.domain.person import Course, Entered, Hold, Mark, Measure, Person


def started(person: Person, fact: inbound.CarePlanStarted) -> Person:
    contract = fact.model_dump(
        include={
            "referral_id", "clinician_id", "episode", "protocol_version", "variant",
            "sessions", "initial_sessions", "termination_sessions", "started_at",
        }
    )  # fmt: skip
    return on_course(person, fact.plan_id, lambda c: c.but(**contract))


def entered(person: Person, fact: inbound.PhaseEntered) -> Person:
    """Entering a phase settles the `phase_overdue` finding of the phase before."""
    phase = Entered(phase=fact.phase, at=fact.entered_at)

    def change(course: Course) -> Course:
        marks = tuple(m for m in course.marks if m.kind != "phase_overdue")
        changed: Course = course.but(phases=(*course.phases, phase), marks=marks)
        return changed

    return on_course(person, fact.plan_id, change)


def focused(person: Person, fact: inbound.FocusSelected) -> Person:
    return on_course(person, fact.plan_id, lambda c: c.but(focus=fact.problem_areas))


def revised(person: Person, fact: inbound.ContractRevised) -> Person:
    contract = fact.model_dump(include={"sessions", "initial_sessions", "termination_sessions"})
    return on_course(person, fact.plan_id, lambda c: c.but(**contract))


def attended(person: Person, fact: inbound.SessionAttended) -> Person:
    """In maintenance `attended` counts the maintenance contract's sessions, so the acute count stays.

    A session may be recorded after later ones were missed: those still count as missed in a row.
    """

    def change(course: Course) -> Course:
        acute = fact.phase != "maintenance"
        changed: Course = course.but(
            attended=fact.attended if acute else course.attended,
            missed_in_a_row=course.missed_since_last_contact,
        )
        return changed

    return on_course(_ended(person, fact, "attended", fact.attended_at), fact.plan_id, change)


def missed(person: Person, fact: inbound.SessionMissed) -> Person:
    """A missed session recorded after a later attended one leaves the count in a row unchanged."""

    def change(course: Course) -> Course:
        came_since = course.last_contact is not None and course.last_contact > fact.missed_at
        in_a_row = course.missed_in_a_row if came_since else fact.consecutive
        changed: Course = course.but(missed_in_a_row=in_a_row)
        return changed

    return _ended(on_course(person, fact.plan_id, change), fact, "missed", fact.missed_at)


def session_cancelled(person: Person, fact: inbound.SessionCancelled) -> Person:
    return _ended(person, fact, "cancelled", fact.cancelled_at)


def _ended(
    person: Person,
    fact: inbound.SessionAttended | inbound.SessionMissed | inbound.SessionCancelled,
    outcome: str,
    at: datetime,
) -> Person:
    return on_appointment(
        person, fact.plan_id, fact.appointment_id, lambda a: a.but(outcome=outcome, ended_at=at)
    )


def measured(person: Person, fact: inbound.MeasureRecorded) -> Person:
    """Measures are ordered by when they were taken, because one may be recorded weeks later."""
    measure = Measure(
        at=fact.taken_at or fact.recorded_at,
        instrument=fact.instrument,
        total=fact.total,
        attended=fact.attended,
        baseline=fact.baseline,
    )

    def change(course: Course) -> Course:
        in_order = sorted((*course.measures, measure), key=lambda one: one.at)
        changed: Course = course.but(measures=tuple(in_order))
        return changed

    return on_course(person, fact.plan_id, change)


def found(person: Person, fact: inbound.PlanFact, kind: str, at: datetime, **inputs: Any) -> Person:
    """Keep the latest finding of each kind, with the numbers it is based on."""
    mark = Mark.model_validate({"kind": kind, "at": at, "inputs": inputs})

    def change(course: Course) -> Course:
        changed: Course = course.but(marks=(*(m for m in course.marks if m.kind != kind), mark))
        return changed

    return on_course(person, fact.plan_id, change)


def held(person: Person, fact: inbound.CarePlanHeld, place: int) -> Person:
    """Ignore a hold that arrives after its own end or after the closure.

    `place`: the sequence of the message.
    """
    hold = Hold(reason=fact.reason, review_on=fact.review_on, since=fact.held_at, place=place)

    def change(course: Course) -> Course:
        over = course.closed is not None or place < course.resumed
        changed: Course = course if over else course.but(hold=hold)
        return changed

    return on_course(person, fact.plan_id, change)


def resumed(person: Person, fact: inbound.CarePlanResumed, place: int) -> Person:
    """End the hold, unless it began after this message; `place`: the sequence of the message."""

    def change(course: Course) -> Course:
        goes_on = course.hold is not None and place < course.hold.place
        resumed = max(place, course.resumed)
        changed: Course = course.but(hold=course.hold if goes_on else None, resumed=resumed)
        return changed

    return on_course(person, fact.plan_id, change)


def maintained(person: Person, fact: inbound.MaintenanceContracted) -> Person:
    return on_course(
        person, fact.plan_id, lambda c: c.but(maintenance=fact.frequency, review_on=fact.review_on)
    )


def closed(person: Person, fact: inbound.CarePlanClosed) -> Person:
    ended = {"closed": fact.outcome, "closed_at": fact.closed_at, "hold": None}
    return on_course(person, fact.plan_id, lambda c: c.but(**ended))
