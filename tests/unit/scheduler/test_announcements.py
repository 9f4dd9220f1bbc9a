"""When each kind is announced, and what becomes of what is late, moved or recorded."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from pydantic import ValidationError

from services.scheduler import books
from services.scheduler.domain import course, moving, rules, timers
from services.scheduler.domain.schedule import Schedule
from services.scheduler.events import (
    DUE,
    AnnouncementSkipped,
    CaseReviewDue,
    SessionOverdue,
    SessionReminderDue,
    WeeklySessionDue,
)
from tests.unit.scheduler.builders import MONDAY, attended, course_of, diary, only, wall

FIRST = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
"""Tuesday 09:00 in New York."""


def at(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def schedule() -> Schedule:
    made = course_of(12)
    assert made.booked()[0].starts_at == FIRST
    return made


def test_the_person_is_reminded_at_ten_the_day_before(schedule: Schedule) -> None:
    _, events = timers.due(schedule, at(3, 2, 15, 30))
    (reminder,) = only(events, SessionReminderDue)
    assert (reminder.due_at, reminder.late_by_seconds) == (at(3, 2, 15), 1800)
    assert reminder.starts_at == FIRST


def test_the_session_is_announced_at_eight_on_its_day(schedule: Schedule) -> None:
    assert not only(timers.due(schedule, at(3, 3, 12, 59))[1], WeeklySessionDue)
    (due,) = only(timers.due(schedule, at(3, 3, 13))[1], WeeklySessionDue)
    assert due.number == 1


def test_a_session_nobody_recorded_is_overdue_at_noon_of_the_next_clinic_day() -> None:
    friday = course_of(2, at=datetime(2026, 5, 22, 13, 30, tzinfo=UTC))
    assert friday.booked()[0].local_time == "2026-05-22T10:00"
    overdue = next(t for t in friday.booked()[0].timers if t.kind == "SessionOverdue")
    assert overdue.due_at == datetime(2026, 5, 26, 16, 0, tzinfo=UTC), "after the weekend and Memorial Day"


def test_a_recorded_session_is_never_overdue(schedule: Schedule) -> None:
    schedule, _ = timers.due(schedule, FIRST)
    schedule, _ = course.attend(schedule, attended(schedule.booked()[0], 1), 2, diary(), FIRST)
    _, events = timers.due(schedule, at(3, 4, 18))
    assert not only(events, SessionOverdue)


def test_the_case_review_is_due_in_week_eight(schedule: Schedule) -> None:
    _, events = timers.due(schedule, at(4, 27, 13))
    (review,) = only(events, CaseReviewDue)
    assert (review.week, review.due_at) == (8, at(4, 27, 13))


def test_a_reminder_more_than_eight_hours_late_is_skipped_and_the_skip_is_said(schedule: Schedule) -> None:
    _, events = timers.due(schedule, at(3, 2, 23, 1))
    (skip,) = only(events, AnnouncementSkipped)
    assert (skip.skipped, skip.reason, skip.number) == ("SessionReminderDue", "too_late", 1)
    assert skip.starts_at == FIRST


def test_a_session_that_has_begun_is_not_announced_as_to_come(schedule: Schedule) -> None:
    _, events = timers.due(schedule, FIRST)
    assert {skip.skipped for skip in only(events, AnnouncementSkipped)} == {
        "SessionReminderDue",
        "WeeklySessionDue",
    }


def test_an_overdue_session_is_announced_however_late(schedule: Schedule) -> None:
    _, events = timers.due(schedule, at(3, 5, 12))
    assert [event.late_by_seconds for event in only(events, SessionOverdue)] == [19 * 3600]


def test_what_was_announced_is_not_announced_again(schedule: Schedule) -> None:
    schedule, first = timers.due(schedule, at(3, 3, 13))
    schedule, second = timers.due(schedule, at(3, 3, 13))
    assert first
    assert second == []


def test_a_moved_session_takes_its_announcements_along(schedule: Schedule) -> None:
    first = schedule.booked()[0]
    moved, events, _ = moving.move_as_asked(
        schedule, first.id, wall("2026-03-05T14:00"), diary(), MONDAY - timedelta(hours=1)
    )
    assert not only(events, AnnouncementSkipped)
    _, early = timers.due(moved, at(3, 3, 20))
    assert early == []
    _, due = timers.due(moved, at(3, 5, 13))
    assert [event.starts_at for event in only(due, WeeklySessionDue)] == [at(3, 5, 19)]


def test_a_session_moved_within_its_day_is_announced_anew(schedule: Schedule) -> None:
    schedule, _ = timers.due(schedule, at(3, 3, 13))
    first = schedule.booked()[0]
    schedule, _, _ = moving.move_as_asked(
        schedule, first.id, wall("2026-03-03T15:00"), diary(), at(3, 3, 13, 30)
    )
    _, events = timers.due(schedule, at(3, 3, 13, 31))
    assert [event.starts_at for event in only(events, WeeklySessionDue)] == [at(3, 3, 20)]


def test_an_announcement_whose_moment_passed_unsaid_is_superseded_aloud(schedule: Schedule) -> None:
    first = schedule.booked()[0]
    _, events, _ = moving.move_as_asked(
        schedule, first.id, wall("2026-03-05T14:00"), diary(), at(3, 3, 13, 30)
    )
    skips = only(events, AnnouncementSkipped)
    assert {skip.skipped for skip in skips} == {"SessionReminderDue", "WeeklySessionDue"}
    assert {skip.reason for skip in skips} == {"superseded"}


def test_a_session_recorded_before_it_was_announced_says_so(schedule: Schedule) -> None:
    _, events = course.attend(schedule, attended(schedule.booked()[0], 1), 2, diary(), at(3, 4, 18))
    skips = only(events, AnnouncementSkipped)
    assert {skip.reason for skip in skips} == {"already_recorded"}
    assert {skip.skipped for skip in skips} == {"SessionReminderDue", "WeeklySessionDue", "SessionOverdue"}


def test_there_and_back_again_announces_the_same_start_once(schedule: Schedule) -> None:
    schedule, told = timers.due(schedule, at(3, 2, 15))
    first = schedule.booked()[0]
    schedule, _, _ = moving.move_as_asked(schedule, first.id, wall("2026-03-05T14:00"), diary(), at(3, 2, 16))
    schedule, _, _ = moving.move_as_asked(schedule, first.id, wall("2026-03-03T09:00"), diary(), at(3, 2, 17))
    schedule, again = timers.due(schedule, at(3, 2, 18))
    schedule, more = timers.due(schedule, at(3, 3, 13))
    ids = [event.about() for event in [*told, *again, *more]]
    assert len(ids) == len(set(ids))
    assert again == []
    assert len(only(more, WeeklySessionDue)) == 1


def test_the_earliest_moment_is_known_without_looking_at_every_timer(schedule: Schedule) -> None:
    assert schedule.next_due == at(3, 2, 15)
    later, _ = timers.due(schedule, at(3, 3, 13))
    assert later.next_due == at(3, 4, 17)
    assert later.waiting


def test_every_kind_has_a_source_for_sign_off() -> None:
    data = rules.announcements()
    assert "sign-off" in data.sign_off
    assert data.announcements.keys() == set(get_args(rules.Announced))
    assert all(announcement.source for announcement in data.announcements.values())


def test_a_file_without_one_of_the_kinds_is_refused() -> None:
    data = rules.announcements().model_dump()
    del data["announcements"]["HoldReviewDue"]
    with pytest.raises(ValidationError, match="says nothing about HoldReviewDue"):
        rules.Announcements.model_validate(data)


def test_what_is_about_no_session_cannot_be_skipped_once_one_has_started() -> None:
    data = rules.announcements().model_dump()
    data["announcements"]["CaseReviewDue"]["late"] = {"policy": "skip_once_started"}
    with pytest.raises(ValidationError, match="CaseReviewDue is about no session"):
        rules.Announcements.model_validate(data)


def test_the_kinds_of_a_session_are_those_that_are_armed_with_it() -> None:
    armed = {kind for kinds in timers.OF_A_SESSION.values() for kind in kinds}
    assert armed == set(get_args(rules.OfASession))


def test_each_kind_of_announcement_is_an_event_and_counted_in_the_books() -> None:
    assert sorted(event.__name__ for event in DUE) == sorted(get_args(rules.Announced))


def test_the_books_count_what_every_session_owes() -> None:
    assert {len(kinds) for kinds in timers.OF_A_SESSION.values()} == {books.ANNOUNCED_OF_A_SESSION}
