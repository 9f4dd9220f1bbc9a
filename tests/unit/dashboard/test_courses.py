"""Holds and their ends, in whatever order they come."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from services.dashboard.domain import courses
from services.dashboard.domain.person import Person
from services.dashboard.inbound import CarePlanHeld, CarePlanResumed

ABOUT = {"patient_id": "pat_1", "clinic_id": "riverside", "plan_id": "pln_1", "clinician_id": "cln_r01"}
HELD_AT = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
REVIEW_ON = date(2026, 4, 15)


def held(at: datetime) -> CarePlanHeld:
    return CarePlanHeld(**ABOUT, reason="illness", review_on=REVIEW_ON, held_at=at)


def resumed(at: datetime) -> CarePlanResumed:
    return CarePlanResumed(**ABOUT, resumed_at=at)


def since(*facts: CarePlanHeld | CarePlanResumed) -> datetime | None:
    """Since when the course is on hold after these facts, in this order."""
    person = Person(id="pat_1", clinic_id="riverside")
    for fact in facts:
        if isinstance(fact, CarePlanHeld):
            person = courses.held(person, fact)
        else:
            person = courses.resumed(person, fact)
    (course,) = person.courses
    return None if course.hold is None else course.hold.since


def test_a_hold_lasts_until_it_is_resumed() -> None:
    assert since(held(HELD_AT)) == HELD_AT
    assert since(held(HELD_AT), resumed(HELD_AT + timedelta(days=7))) is None


@pytest.mark.parametrize(
    "order", list(permutations([held(HELD_AT), resumed(HELD_AT + timedelta(days=7)), held(HELD_AT)]))
)
def test_a_hold_that_comes_again_or_late_is_over(order: tuple[CarePlanHeld | CarePlanResumed, ...]) -> None:
    """A dead letter may be replayed."""
    assert since(*order) is None


def test_a_later_hold_outlasts_the_end_of_an_earlier_one_that_comes_again() -> None:
    first, over, second = held(HELD_AT), resumed(HELD_AT + timedelta(days=7)), HELD_AT + timedelta(days=14)
    assert since(first, over, held(second), over) == second
