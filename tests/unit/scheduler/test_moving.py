"""Appointments moved or cancelled because somebody asks or is away."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from services.scheduler.domain import moving
from services.scheduler.domain.schedule import Schedule
from services.scheduler.domain.wall_time import resolve
from services.scheduler.events import AppointmentCancelled, SessionMoved, SessionScheduled
from shared.errors import Refused
from tests.unit.scheduler.builders import (
    MONDAY,
    NEW_YORK,
    attend_first,
    away,
    clinic,
    course_of,
    diary,
    local_times,
    only,
    wall,
)


@pytest.fixture
def schedule() -> Schedule:
    return course_of(12)


def test_an_appointment_moves_to_where_it_is_asked_for(schedule: Schedule) -> None:
    second = schedule.booked()[1]
    moved, events, oddity = moving.move_as_asked(
        schedule, second.id, wall("2026-03-11T14:00"), diary(), MONDAY
    )
    (event,) = only(events, SessionMoved)
    assert (event.previous_starts_at, event.local_time, event.reason) == (
        second.starts_at,
        "2026-03-11T14:00",
        "asked",
    )
    assert oddity is None
    assert moved.appointments[1].adjusted == ("asked",)


@pytest.mark.parametrize(
    ("wished", "reason"),
    [
        (wall("2026-03-11T08:00"), "outside_clinic_hours"),
        (wall("2026-03-11T10:30"), "outside_clinic_hours"),
        (wall("2026-03-14T10:00"), "outside_clinic_hours"),
        (wall("2026-05-25T10:00"), "holiday"),
        (wall("2026-03-20T10:00"), "clinician_on_leave"),
        (wall("2026-03-12T09:00"), "slot_taken"),
        (wall("2026-03-02T09:00"), "in_the_past"),
        (wall("2062-03-08T10:00"), "too_far_ahead"),
    ],
)
def test_a_move_that_cannot_be_is_refused_by_name(schedule: Schedule, wished: datetime, reason: str) -> None:
    taken = {resolve(wall("2026-03-12T09:00"), NEW_YORK).starts_at}
    book = diary(leave=[away(date(2026, 3, 20))], taken=taken)
    with pytest.raises(Refused, match=reason):
        moving.move_as_asked(schedule, schedule.booked()[1].id, wished, book, MONDAY)


def test_a_move_reaches_a_year_beyond_where_the_session_stands_and_no_further(schedule: Schedule) -> None:
    """Maintenance is booked two years ahead: what stands there can be moved within its weeks."""
    second = schedule.booked()[1]
    assert second.local_time == "2026-03-10T09:00"
    moved, _, _ = moving.move_as_asked(schedule, second.id, wall("2027-03-11T09:00"), diary(), MONDAY)
    assert moved.appointments[1].local_time == "2027-03-11T09:00"
    with pytest.raises(Refused, match="too_far_ahead"):
        moving.move_as_asked(schedule, second.id, wall("2027-03-12T09:00"), diary(), MONDAY)
    again, _, _ = moving.move_as_asked(moved, second.id, wall("2027-03-12T09:00"), diary(), MONDAY)
    assert again.appointments[1].local_time == "2027-03-12T09:00"


def test_what_was_recorded_cancelled_or_has_begun_is_not_moved(schedule: Schedule) -> None:
    schedule = attend_first(schedule, 1)
    to = wall("2026-03-19T10:00")
    with pytest.raises(Refused, match="already_recorded"):
        moving.move_as_asked(schedule, schedule.appointments[0].id, to, diary(), MONDAY)
    second = schedule.booked()[0]
    with pytest.raises(Refused, match="in_the_past"):
        moving.move_as_asked(schedule, second.id, to, diary(), second.starts_at)
    schedule, _ = moving.cancel_as_asked(schedule, second.id, "patient_asked", diary(), MONDAY)
    with pytest.raises(Refused, match="already_cancelled"):
        moving.move_as_asked(schedule, second.id, to, diary(), MONDAY)


def test_a_move_to_where_it_stands_changes_nothing(schedule: Schedule) -> None:
    second = schedule.booked()[1]
    after, events, _ = moving.move_as_asked(
        schedule, second.id, second.local, diary(taken={second.starts_at}), MONDAY
    )
    assert (after, events) == (schedule, [])


def test_a_wall_time_that_does_not_exist_is_taken_after_the_gap_and_said() -> None:
    nightly = clinic(hours={"days": ["sun"], "opens": "00:30", "closes": "05:30"})
    book = diary(at=nightly)
    schedule = course_of(3, diary=book)
    moved, _, oddity = moving.move_as_asked(
        schedule, schedule.booked()[1].id, wall("2026-03-08T02:30"), book, MONDAY
    )
    assert oddity == "gap"
    assert moved.appointments[1].local_time == "2026-03-08T03:30"


def test_a_cancellation_that_is_asked_for_keeps_who_asked_and_is_made_up_for(schedule: Schedule) -> None:
    third = schedule.booked()[2]
    schedule, events = moving.cancel_as_asked(schedule, third.id, "clinic_asked", diary(), MONDAY)
    assert [event.reason for event in only(events, AppointmentCancelled)] == ["asked"]
    assert [event.adjusted for event in only(events, SessionScheduled)] == [("cancelled",)]
    assert schedule.appointments[2].asked_by == "clinic_asked"


def test_leave_moves_what_stands_in_its_way_and_nothing_else(schedule: Schedule) -> None:
    leave = [away(date(2026, 3, 9), date(2026, 3, 11))]
    after, events = moving.make_way(schedule, leave, diary(leave=leave), MONDAY)
    (moved,) = only(events, SessionMoved)
    assert (moved.number, moved.local_time, moved.reason) == (2, "2026-03-12T09:00", "clinician_leave")
    assert len(after.booked()) == 12
    assert local_times(after)[2:] == local_times(schedule)[2:]


def test_four_weeks_of_leave_drop_no_session_and_crowd_no_week(schedule: Schedule) -> None:
    leave = [away(date(2026, 3, 16), date(2026, 4, 10))]
    after, events = moving.make_way(schedule, leave, diary(leave=leave), MONDAY)
    assert len(only(events, SessionMoved)) == 4
    assert len(after.booked()) == 12
    days = sorted(after.days())
    assert all(later - earlier >= timedelta(days=2) for earlier, later in pairwise(days))
    assert not any(leave[0].covers(day) for day in days)


def test_leave_leaves_past_sessions_alone(schedule: Schedule) -> None:
    leave = [away(date(2026, 3, 1), date(2026, 3, 8))]
    after, events = moving.make_way(schedule, leave, diary(leave=leave), datetime(2026, 3, 4, tzinfo=UTC))
    assert (after, events) == (schedule, [])


def test_after_shorter_slots_what_stands_in_one_lasts_no_longer_and_overlaps_nobody(
    schedule: Schedule,
) -> None:
    half_hours = clinic(slot_minutes=30)
    fitted, events = moving.fit_hours(schedule, diary(at=half_hours), MONDAY)
    assert {a.minutes for a in fitted.booked()} == {30}
    assert [(e.starts_at, e.minutes) for e in only(events, SessionMoved)] == [
        (a.starts_at, 30) for a in schedule.booked()
    ]
    assert local_times(fitted) == local_times(schedule)
    assert moving.fit_hours(fitted, diary(at=half_hours), MONDAY)[1] == []
    assert [t.due_at for t in fitted.armed()] == [t.due_at for t in schedule.armed()]
