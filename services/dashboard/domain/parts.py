"""Changing one part of a person. Parts are ordered by id, whichever arrived first."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from services.dashboard.domain.person import Appointment, Course, Person, Referral


class Part(Protocol):
    @property
    def id(self) -> str: ...


P = TypeVar("P", bound=Part)


def put(parts: Sequence[P], part: P) -> tuple[P, ...]:
    """Add a part, replacing the one with the same id."""
    return tuple(sorted([*(p for p in parts if p.id != part.id), part], key=lambda p: p.id))


def without(parts: Sequence[P], id: str) -> tuple[P, ...]:
    return tuple(part for part in parts if part.id != id)


def on_referral(person: Person, id: str, change: Callable[[Referral], Referral]) -> Person:
    """Change a referral; a new one starts empty."""
    known = next((r for r in person.referrals if r.id == id), Referral(id=id))
    changed: Person = person.but(referrals=put(person.referrals, change(known)))
    return changed


def on_course(person: Person, id: str, change: Callable[[Course], Course]) -> Person:
    known = next((c for c in person.courses if c.id == id), Course(id=id))
    changed: Person = person.but(courses=put(person.courses, change(known)))
    return changed


def on_appointment(
    person: Person, course_id: str, id: str, change: Callable[[Appointment], Appointment]
) -> Person:
    def in_course(course: Course) -> Course:
        known = next((a for a in course.appointments if a.id == id), Appointment(id=id))
        changed: Course = course.but(appointments=put(course.appointments, change(known)))
        return changed

    return on_course(person, course_id, in_course)
