"""The acute course: N weekly sessions, N attended whatever comes between."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from services.scheduler.domain import course, timers
from services.scheduler.domain.schedule import Schedule
from services.scheduler.domain.wall_time import resolve
from services.scheduler.events import AppointmentCancelled, SessionScheduled, TerminationPhaseDue
from shared.errors import Refused
from tests.unit.scheduler.builders import (
    MONDAY,
    NEW_YORK,
    attend_first,
    attended,
    away,
    cancelled,
    course_of,
    diary,
    local_times,
    missed,
    only,
    revised,
    started,
    wall,
)

WEEK = timedelta(weeks=1)


def after(schedule: Schedule, index: int = 0) -> datetime:
    """An hour after the start of a booked session."""
    return schedule.booked()[index].starts_at + timedelta(hours=1)


def test_the_whole_course_stands_on_day_one_weekly_at_the_same_wall_time() -> None:
    schedule, events = course.start(started(16), diary(), MONDAY)
    scheduled = only(events, SessionScheduled)
    assert [event.number for event in scheduled] == list(range(1, 17))
    assert len({event.appointment_id for event in scheduled}) == 16
    days = [a.local.date() for a in schedule.booked()]
    assert [later - earlier for earlier, later in pairwise(days)] == [WEEK] * 15
    assert {a.local.time() for a in schedule.booked()} == {schedule.regular_time}


def test_a_holiday_shifts_one_session_to_the_next_day_with_its_reason() -> None:
    schedule = course_of(12, at=datetime(2026, 4, 3, 21, 0, tzinfo=UTC))
    memorial_day = next(a for a in schedule.booked() if a.regular_on == date(2026, 5, 25))
    assert memorial_day.local_time == "2026-05-26T09:00"
    assert memorial_day.adjusted == ("holiday",)
    assert [a.adjusted for a in schedule.booked() if a.adjusted] == [("clinic_hours",), ("holiday",)]


def test_leave_shifts_a_session_to_the_nearest_open_day() -> None:
    schedule = course_of(4, diary=diary(leave=[away(date(2026, 3, 10), date(2026, 3, 11))]))
    assert schedule.booked()[1].local_time == "2026-03-09T09:00"
    assert schedule.booked()[1].adjusted == ("clinician_leave",)


def test_a_taken_slot_shifts_a_session_by_an_hour_with_its_reason() -> None:
    busy = {resolve(wall(f"2026-03-10T{hour:02}:00"), NEW_YORK).starts_at for hour in range(9, 17)}
    free = resolve(wall("2026-03-10T11:00"), NEW_YORK).starts_at
    schedule = course_of(4, diary=diary(taken=busy - {free}))
    assert local_times(schedule)[1] == "2026-03-10T11:00"
    assert "double_booking" not in schedule.booked()[1].adjusted
    assert schedule.regular_time.hour == 11


def test_an_attended_session_is_fulfilled_and_the_rest_stands() -> None:
    schedule = course_of(12)
    first = schedule.booked()[0]
    schedule, events = course.attend(schedule, attended(first, 1), 2, diary(), after(schedule))
    assert schedule.appointments[0].state == "fulfilled"
    assert schedule.attended == 1
    assert len(schedule.booked()) == 11
    assert not only(events, SessionScheduled)


def test_a_no_show_is_made_up_for_at_the_end_of_the_course() -> None:
    schedule = course_of(12)
    last = schedule.booked()[-1]
    schedule, events = course.miss(schedule, missed(schedule.booked()[0]), diary(), after(schedule))
    (added,) = only(events, SessionScheduled)
    assert added.adjusted == ("missed",)
    assert added.number == 13
    assert schedule.booked()[-1].local == last.local + WEEK
    assert schedule.appointments[0].state == "noshow"
    assert len(schedule.booked()) == 12


def test_a_cancelled_session_is_made_up_for_at_the_end_of_the_course() -> None:
    schedule = course_of(12)
    schedule, events = course.cancel_session(schedule, cancelled(schedule.booked()[3]), diary(), MONDAY)
    assert [event.reason for event in only(events, AppointmentCancelled)] == ["session_cancelled"]
    assert [event.adjusted for event in only(events, SessionScheduled)] == [("cancelled",)]
    assert schedule.appointments[3].reason == "session_cancelled"


def test_the_last_session_called_off_is_not_booked_again_in_its_own_week() -> None:
    schedule = course_of(12)
    last = schedule.booked()[-1]
    schedule, _ = course.cancel_session(schedule, cancelled(last), diary(), MONDAY)
    assert schedule.booked()[-1].local == last.local + WEEK


def test_what_was_recorded_otherwise_is_refused_by_name() -> None:
    schedule = attend_first(course_of(12), 1)
    with pytest.raises(Refused, match="already_recorded"):
        course.miss(schedule, missed(schedule.appointments[0]), diary(), MONDAY)


def test_attendance_recorded_after_a_no_show_counts_and_takes_the_extra_session_off() -> None:
    schedule = course_of(12)
    first, now = schedule.booked()[0], after(schedule)
    schedule, _ = course.miss(schedule, missed(first), diary(), now)
    schedule, events = course.attend(schedule, attended(first, 1), 2, diary(), now)
    assert schedule.appointments[0].state == "fulfilled"
    assert [event.reason for event in only(events, AppointmentCancelled)] == ["no_longer_needed"]
    assert len(schedule.booked()) == 11


def test_a_longer_contract_appends_weekly_sessions() -> None:
    schedule, events = course.revise(course_of(12), revised(16, 4), 2, diary(), MONDAY)
    assert [event.adjusted for event in only(events, SessionScheduled)] == [("contract",)] * 4
    assert len(schedule.booked()) == 16


def test_a_shorter_contract_cancels_the_tail_with_its_reason() -> None:
    schedule = course_of(16)
    tail = [a.id for a in schedule.booked()[12:]]
    schedule, events = course.revise(schedule, revised(12), 2, diary(), MONDAY)
    gone = only(events, AppointmentCancelled)
    assert sorted(event.appointment_id for event in gone) == sorted(tail)
    assert {event.reason for event in gone} == {"contract_shortened"}


def test_the_termination_phase_is_announced_one_session_before_it_starts() -> None:
    schedule = attend_first(course_of(12), 7)
    eighth = schedule.booked()[0]
    schedule, events = course.attend(schedule, attended(eighth, 8), 2, diary(), after(schedule))
    (announced,) = only(events, TerminationPhaseDue)
    assert (announced.attended, announced.sessions, announced.termination_sessions) == (8, 12, 3)
    ninth = schedule.booked()[0]
    _, later = course.attend(schedule, attended(ninth, 9), 2, diary(), after(schedule))
    assert not only(later, TerminationPhaseDue)


def test_for_a_new_n_the_termination_phase_is_announced_anew_and_for_an_old_one_never_again() -> None:
    schedule = attend_first(course_of(12), 8)
    assert schedule.termination_announced_for == (12,)
    schedule, events = course.revise(schedule, revised(10), 2, diary(), MONDAY)
    assert [event.sessions for event in only(events, TerminationPhaseDue)] == [10]
    schedule, events = course.revise(schedule, revised(12), 2, diary(), MONDAY)
    assert not only(events, TerminationPhaseDue)
    schedule, events = course.revise(schedule, revised(16, 4), 2, diary(), MONDAY)
    assert not only(events, TerminationPhaseDue)
    assert len(only(attend_events(schedule, 3), TerminationPhaseDue)) == 1


def attend_events(schedule: Schedule, count: int) -> list:  # type: ignore[type-arg]
    told = []
    for _ in range(count):
        fact = attended(schedule.booked()[0], schedule.attended + 1, schedule.sessions)
        schedule, events = course.attend(schedule, fact, 2, diary(), after(schedule))
        told += events
    return told


def test_an_unrecorded_session_counts_as_coming_while_others_stand_after_it() -> None:
    schedule = course_of(3)
    schedule, _ = timers.due(schedule, schedule.booked()[0].starts_at + timedelta(days=2))
    assert schedule.booked()[0].is_overdue
    assert not course.has_run_dry(schedule)
    assert course.lacking(schedule) == 0


def test_a_course_of_which_only_unrecorded_sessions_are_left_goes_on() -> None:
    schedule = course_of(2)
    late = schedule.booked()[-1].starts_at + timedelta(days=2)
    schedule, _ = timers.due(schedule, late)
    assert course.has_run_dry(schedule)
    schedule, events = course.go_on(schedule, diary(), late)
    added = only(events, SessionScheduled)
    assert [event.adjusted for event in added] == [("unrecorded",), ("unrecorded",)]
    assert all(event.starts_at > late for event in added)
    first = schedule.appointments[0]
    schedule, events = course.attend(schedule, attended(first, 1, 2), 2, diary(), late)
    assert [event.reason for event in only(events, AppointmentCancelled)] == ["no_longer_needed"]


def test_attendance_of_an_appointment_we_do_not_know_still_counts() -> None:
    schedule, events = course.attend(course_of(12), attended("elsewhere", 1), 2, diary(), MONDAY)
    assert schedule.attended == 1
    assert len(only(events, AppointmentCancelled)) == 1


def test_a_count_that_comes_late_never_takes_attendance_back() -> None:
    schedule = attend_first(course_of(12), 5)
    schedule, _ = course.attend(schedule, attended(schedule.appointments[1], 2, 16), 2, diary(), MONDAY)
    assert (schedule.attended, schedule.sessions) == (5, 12)
