"""What was announced as due and asks for something, once that is done or moot: said, once, and in order."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.scheduler.domain import course, interruptions, maintenance, timers
from services.scheduler.domain.schedule import Schedule
from services.scheduler.events import (
    AnnouncementSettled,
    HoldReviewDue,
    MaintenanceReviewDue,
    ScheduleEvent,
    SessionOverdue,
)
from tests.unit.scheduler.builders import (
    MONDAY,
    attended,
    cancelled,
    clinic,
    closed,
    contracted,
    course_of,
    diary,
    entered,
    held,
    missed,
    only,
)

NINE = datetime(2026, 4, 15, 13, 0, tzinfo=UTC)
REVIEW = NINE.date()
HELD_AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
LONG_AFTER = MONDAY + timedelta(weeks=20)


def settled(events: list[ScheduleEvent]) -> list[tuple[str, str]]:
    return [(event.settled, event.reason) for event in only(events, AnnouncementSettled)]


def unrecorded() -> tuple[Schedule, datetime]:
    """A session of yesterday was announced as overdue."""
    schedule = course_of(12)
    now = schedule.booked()[0].starts_at + timedelta(days=2)
    schedule, events = timers.due(schedule, now)
    assert only(events, SessionOverdue)
    return schedule, now


def reviewed_hold() -> Schedule:
    """On hold, and the hold's review was announced."""
    schedule, _ = interruptions.hold(course_of(12), held(HELD_AT, REVIEW), 5, clinic(), HELD_AT)
    schedule, events = timers.due(schedule, NINE)
    assert only(events, HoldReviewDue)
    return schedule


@pytest.mark.parametrize("outcome", ["attended", "missed", "cancelled"])
def test_a_session_recorded_after_it_was_announced_as_overdue_is_overdue_no_more(outcome: str) -> None:
    schedule, now = unrecorded()
    first = schedule.booked()[0]
    match outcome:
        case "attended":
            schedule, events = course.attend(schedule, attended(first, 1), 2, diary(), now)
        case "missed":
            schedule, events = course.miss(schedule, missed(first), diary(), now)
        case _:
            schedule, events = course.cancel_session(schedule, cancelled(first), diary(), now)
    (event,) = only(events, AnnouncementSettled)
    assert (event.settled, event.appointment_id, event.reason) == ("SessionOverdue", first.id, "recorded")
    schedule, events = course.attend(schedule, attended(first, 1), 3, diary(), now)
    assert settled(events) == [], "said once, however often it is recorded"


def test_a_session_recorded_in_time_was_never_asked_for() -> None:
    schedule = course_of(12)
    first = schedule.booked()[0]
    _, events = course.attend(schedule, attended(first, 1), 2, diary(), first.starts_at)
    assert settled(events) == []


def test_a_hold_that_is_read_late_takes_off_what_was_announced_as_overdue_since() -> None:
    schedule, now = unrecorded()
    _, events = interruptions.hold(schedule, held(HELD_AT, REVIEW), 5, clinic(), now)
    assert settled(events) == [("SessionOverdue", "held")]


def test_the_review_of_a_hold_is_due_until_the_plan_goes_on_and_that_of_the_next_hold_after_it() -> None:
    schedule, events = interruptions.resume(reviewed_hold(), 6, diary(), NINE + timedelta(hours=1))
    assert settled(events) == [("HoldReviewDue", "resumed")]
    again = NINE + timedelta(days=1)
    schedule, events = interruptions.hold(schedule, held(again, date(2026, 5, 4)), 7, clinic(), again)
    assert settled(events) == []
    schedule, events = timers.due(schedule, LONG_AFTER)
    assert only(events, HoldReviewDue)
    schedule, events = interruptions.resume(schedule, 8, diary(), LONG_AFTER)
    assert settled(events) == [("HoldReviewDue", "resumed")]


def test_a_new_maintenance_contract_settles_the_review_of_the_one_before() -> None:
    schedule, _ = interruptions.enter_phase(course_of(4), entered("ended"), 2, diary(), MONDAY)
    agreed = contracted("monthly", MONDAY.date(), REVIEW)
    schedule, _ = maintenance.contract(schedule, agreed, 3, diary(), MONDAY)
    schedule, events = timers.due(schedule, NINE)
    assert only(events, MaintenanceReviewDue)
    anew = contracted("monthly", REVIEW, date(2026, 9, 15))
    _, events = maintenance.contract(schedule, anew, 4, diary(), NINE)
    assert settled(events) == [("MaintenanceReviewDue", "contracted")]


def test_closing_a_plan_settles_its_reviews_but_not_what_became_of_a_session_before() -> None:
    schedule, now = unrecorded()
    schedule, _ = timers.due(schedule, LONG_AFTER)
    schedule, events = interruptions.close(schedule, closed(now), LONG_AFTER)
    first = schedule.appointments[0]
    reviews = [told for told in settled(events) if told[0] != "SessionOverdue"]
    assert reviews == [("CaseReviewDue", "plan_closed")]
    after = [event for event in only(events, AnnouncementSettled) if event.appointment_id is not None]
    assert {event.reason for event in after} == {"plan_closed"}
    assert first.id not in {event.appointment_id for event in after}
    _, events = course.miss(schedule, missed(first), diary(), LONG_AFTER)
    assert settled(events) == [("SessionOverdue", "recorded")]
