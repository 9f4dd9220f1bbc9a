"""Folds the scheduler's facts: appointments, and sessions that became overdue."""

from services.dashboard import inbound
from services.dashboard.domain.parts import on_appointment
from services.dashboard.domain.person import Person

PLACE = {"number", "kind", "starts_at", "local_time", "zone", "clinician_id"}


def scheduled(person: Person, fact: inbound.SessionScheduled) -> Person:
    place = fact.model_dump(include=PLACE | {"minutes"})
    return on_appointment(person, fact.plan_id, fact.appointment_id, lambda a: a.but(**place, withdrawn=None))


def moved(person: Person, fact: inbound.SessionMoved) -> Person:
    place = fact.model_dump(include=PLACE | {"minutes"}, exclude_none=True)
    return on_appointment(
        person, fact.plan_id, fact.appointment_id, lambda a: a.but(**place, moved=fact.reason)
    )


def withdrawn(person: Person, fact: inbound.AppointmentCancelled) -> Person:
    return on_appointment(person, fact.plan_id, fact.appointment_id, lambda a: a.but(withdrawn=fact.reason))


def overdue(person: Person, fact: inbound.SessionOverdue) -> Person:
    return on_appointment(person, fact.plan_id, fact.appointment_id, lambda a: a.but(overdue=True))
