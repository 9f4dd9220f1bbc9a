"""Holds, closure, phases and maintenance."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.scheduler.domain import course, interruptions, maintenance, timers
from services.scheduler.domain.schedule import Schedule
from services.scheduler.events import (
    AnnouncementSkipped,
    AppointmentCancelled,
    HoldReviewDue,
    MaintenanceReviewDue,
    MaintenanceSessionDue,
    SessionOverdue,
    SessionReminderDue,
    SessionScheduled,
    WeeklySessionDue,
)
from shared.errors import Refused
from tests.unit.scheduler.builders import (
    MONDAY,
    attend_first,
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
    revised,
)

HELD_AT = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
REVIEW = date(2026, 4, 15)
LATER = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

FORTNIGHTS = [f"2026-{day}" for day in ("04-21", "05-05", "05-19", "06-02", "06-16", "06-30", "07-14")]


def on_hold() -> Schedule:
    schedule = attend_first(course_of(12), 3)
    return interruptions.hold(schedule, held(HELD_AT, REVIEW), 5, clinic(), HELD_AT)[0]


def test_a_hold_takes_the_sessions_to_come_off_with_its_reason() -> None:
    schedule = attend_first(course_of(12), 3)
    schedule, events = interruptions.hold(schedule, held(HELD_AT, REVIEW), 5, clinic(), HELD_AT)
    assert len(only(events, AppointmentCancelled)) == 9
    assert {event.reason for event in only(events, AppointmentCancelled)} == {"held"}
    assert schedule.booked() == []


def test_a_hold_is_reviewed_at_nine_on_its_date() -> None:
    _, events = timers.due(on_hold(), datetime(2026, 4, 15, 13, 0, tzinfo=UTC))
    (review,) = only(events, HoldReviewDue)
    assert review.review_on == REVIEW
    assert review.due_at == datetime(2026, 4, 15, 13, 0, tzinfo=UTC)


def test_a_hold_whose_review_day_is_over_at_the_clinic_is_reviewed_at_once() -> None:
    """care_plan knows no zones: it lets a day pass that is over in some of them."""
    yesterday = HELD_AT.date() - timedelta(days=1)
    schedule, _ = interruptions.hold(course_of(12), held(HELD_AT, yesterday), 5, clinic(), HELD_AT)
    _, events = timers.due(schedule, HELD_AT)
    assert [event.review_on for event in only(events, HoldReviewDue)] == [yesterday]


def test_on_hold_a_longer_contract_books_nothing() -> None:
    schedule, events = course.revise(on_hold(), revised(16, 4), 2, diary(), LATER)
    assert only(events, SessionScheduled) == []
    assert schedule.sessions == 16


def test_after_a_hold_the_rest_of_the_course_is_booked_anew_in_the_old_rhythm() -> None:
    schedule, events = interruptions.resume(on_hold(), 6, diary(), LATER)
    booked = only(events, SessionScheduled)
    assert len(booked) == 9
    assert {"hold"} == {event.adjusted[0] for event in booked}
    assert booked[0].local_time == "2026-05-05T09:00"
    assert schedule.hold is None


def test_a_hold_on_day_one_resumes_next_week_and_not_where_the_course_would_have_ended() -> None:
    schedule, _ = interruptions.hold(course_of(12), held(MONDAY, REVIEW), 5, clinic(), MONDAY)
    schedule, events = interruptions.resume(schedule, 6, diary(), MONDAY + timedelta(days=8))
    assert only(events, SessionScheduled)[0].local_time == "2026-03-17T09:00"


def test_a_resumed_hold_is_reviewed_no_more() -> None:
    schedule, _ = interruptions.resume(on_hold(), 6, diary(), HELD_AT + timedelta(days=2))
    review = [t for t in schedule.timers if t.kind == "HoldReviewDue"]
    assert [(t.state, t.reason) for t in review] == [("withdrawn", "resumed")]


def test_a_hold_that_is_replayed_after_its_own_end_holds_nothing() -> None:
    schedule, events = interruptions.resume(attend_first(course_of(12), 3), 6, diary(), HELD_AT)
    assert events == []
    with pytest.raises(Refused, match="resumed_since"):
        interruptions.hold(schedule, held(HELD_AT, REVIEW), 5, clinic(), HELD_AT)


def test_a_hold_that_is_replayed_after_the_next_one_does_not_take_its_place() -> None:
    with pytest.raises(Refused, match="held_since"):
        interruptions.hold(on_hold(), held(HELD_AT, REVIEW), 3, clinic(), HELD_AT)


def test_an_end_that_is_replayed_does_not_end_the_hold_after_it() -> None:
    schedule, _ = interruptions.resume(on_hold(), 6, diary(), HELD_AT)
    schedule, _ = interruptions.hold(schedule, held(HELD_AT, REVIEW), 7, clinic(), HELD_AT)
    assert interruptions.resume(schedule, 6, diary(), LATER) == (schedule, [])
    assert interruptions.resume(schedule, 8, diary(), LATER)[0].hold is None


def test_a_hold_on_the_review_day_of_the_one_before_is_reviewed_as_well() -> None:
    nine = datetime(2026, 4, 15, 13, 0, tzinfo=UTC)
    eleven = nine + timedelta(hours=2)
    schedule, _ = timers.due(on_hold(), nine)
    schedule, _ = interruptions.resume(schedule, 6, diary(), nine + timedelta(hours=1))
    schedule, _ = interruptions.hold(schedule, held(eleven, REVIEW), 7, clinic(), eleven)
    schedule, events = timers.due(schedule, eleven)
    (review,) = only(events, HoldReviewDue)
    assert (review.due_at, review.review_on) == (eleven, REVIEW)


def test_a_second_hold_with_another_review_date_replaces_the_first_review() -> None:
    schedule, _ = interruptions.hold(on_hold(), held(HELD_AT, date(2026, 5, 1)), 5, clinic(), HELD_AT)
    armed = [t for t in schedule.timers if t.kind == "HoldReviewDue" and t.state == "armed"]
    assert [t.due_at for t in armed] == [datetime(2026, 5, 1, 13, 0, tzinfo=UTC)]


def test_a_closed_plan_has_nothing_to_come_and_nothing_to_announce() -> None:
    schedule, events = interruptions.close(attend_first(course_of(12), 3), closed(HELD_AT), HELD_AT)
    assert {event.reason for event in only(events, AppointmentCancelled)} == {"plan_closed"}
    assert schedule.booked() == []
    assert schedule.next_due is None
    assert not schedule.waiting


def test_a_session_before_the_closure_that_nobody_recorded_is_still_asked_for() -> None:
    schedule = course_of(12)
    first = schedule.booked()[0]
    closing = first.starts_at + timedelta(hours=2)
    schedule, _ = timers.due(schedule, closing)
    schedule, _ = interruptions.close(schedule, closed(closing), closing)
    assert [a.id for a in schedule.booked()] == [first.id]
    schedule, events = timers.due(schedule, closing + timedelta(days=3))
    assert [event.appointment_id for event in only(events, SessionOverdue)] == [first.id]
    assert not course.has_run_dry(schedule)


def test_a_no_show_recorded_after_the_closure_extends_nothing() -> None:
    schedule = course_of(12)
    first = schedule.booked()[0]
    closing = first.starts_at + timedelta(hours=2)
    schedule, _ = interruptions.close(schedule, closed(closing), closing)
    schedule, events = course.miss(schedule, missed(first), diary(), closing)
    assert only(events, SessionScheduled) == []
    assert schedule.appointments[0].state == "noshow"


def test_a_late_hold_says_which_announcements_it_overtook() -> None:
    schedule = attend_first(course_of(12), 1)
    second = schedule.booked()[0]
    late = second.starts_at + timedelta(hours=1)
    schedule, events = interruptions.hold(
        schedule, held(second.starts_at - timedelta(days=2), REVIEW), 5, clinic(), late
    )
    skips = only(events, AnnouncementSkipped)
    assert {skip.skipped for skip in skips} == {"SessionReminderDue", "WeeklySessionDue"}
    assert {skip.reason for skip in skips} == {"on_hold"}


def test_where_the_acute_treatment_ends_so_do_its_appointments() -> None:
    schedule = attend_first(course_of(12), 3)
    schedule, events = interruptions.enter_phase(schedule, entered("ended"), 2, diary(), HELD_AT)
    assert {event.reason for event in only(events, AppointmentCancelled)} == {"no_longer_needed"}
    assert schedule.booked() == []


def in_maintenance(frequency: str = "monthly") -> Schedule:
    schedule = attend_first(course_of(4, termination=1), 4)
    now = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)
    schedule, _ = interruptions.enter_phase(schedule, entered("ended"), 2, diary(), now)
    fact = contracted(frequency, date(2026, 4, 20), date(2026, 7, 20))
    return maintenance.contract(schedule, fact, 2, diary(), now)[0]


@pytest.mark.parametrize(
    ("frequency", "days"),
    [
        ("monthly", ["2026-04-21", "2026-05-19", "2026-06-16", "2026-07-14"]),
        ("twice_monthly", FORTNIGHTS),
    ],
)
def test_maintenance_sessions_follow_the_contract_until_its_review(frequency: str, days: list[str]) -> None:
    booked = in_maintenance(frequency).booked("maintenance")
    assert [str(a.local.date()) for a in booked] == days
    assert [a.number for a in booked] == list(range(1, len(days) + 1))


def test_a_maintenance_session_is_announced_as_one_and_its_review_on_its_date() -> None:
    schedule, events = timers.due(in_maintenance(), datetime(2026, 4, 21, 12, 0, tzinfo=UTC))
    assert [type(e) for e in events] == [AnnouncementSkipped, MaintenanceSessionDue]
    assert not only(events, WeeklySessionDue)
    schedule, events = timers.due(schedule, datetime(2026, 7, 20, 13, 0, tzinfo=UTC))
    assert [event.review_on for event in only(events, MaintenanceReviewDue)] == [date(2026, 7, 20)]


def test_a_review_agreed_for_the_day_of_the_review_before_is_announced_as_well() -> None:
    nine = datetime(2026, 7, 20, 13, 0, tzinfo=UTC)
    ten = nine + timedelta(hours=1)
    schedule, _ = timers.due(in_maintenance(), nine)
    again = contracted("weekly", date(2026, 7, 20), date(2026, 7, 20))
    schedule, _ = maintenance.contract(schedule, again, 5, diary(), ten)
    schedule, events = timers.due(schedule, ten)
    (review,) = only(events, MaintenanceReviewDue)
    assert (review.due_at, review.review_on) == (ten, date(2026, 7, 20))


def test_a_missed_maintenance_session_is_not_made_up_for() -> None:
    schedule = in_maintenance()
    first = schedule.booked("maintenance")[0]
    schedule, events = course.miss(schedule, missed(first), diary(), first.starts_at)
    assert only(events, SessionScheduled) == []


def test_a_contract_a_revision_and_a_phase_that_are_replayed_after_a_newer_one_are_refused_by_name() -> None:
    fact = contracted("weekly", date(2026, 5, 1), date(2026, 5, 31))
    with pytest.raises(Refused, match="contracted_since"):
        maintenance.contract(in_maintenance(), fact, 1, diary(), HELD_AT)
    revision, _ = course.revise(course_of(12), revised(16), 4, diary(), MONDAY)
    with pytest.raises(Refused, match="revised_since"):
        course.revise(revision, revised(14), 3, diary(), MONDAY)
    with pytest.raises(Refused, match="phase_entered_since"):
        interruptions.enter_phase(in_maintenance(), entered("middle"), 1, diary(), MONDAY)


def test_a_new_maintenance_contract_replaces_the_sessions_of_the_one_before() -> None:
    now = datetime(2026, 4, 22, 12, 0, tzinfo=UTC)
    fact = contracted("weekly", date(2026, 5, 1), date(2026, 5, 31))
    schedule, events = maintenance.contract(in_maintenance(), fact, 2, diary(), now)
    assert {event.reason for event in only(events, AppointmentCancelled)} == {"maintenance_changed"}
    to_come = [str(a.local.date()) for a in schedule.booked("maintenance") if a.starts_at > now]
    assert to_come == ["2026-05-05", "2026-05-12", "2026-05-19", "2026-05-26"]
    reviews = [t for t in schedule.timers if t.kind == "MaintenanceReviewDue"]
    assert [t.state for t in reviews] == ["withdrawn", "armed"]


def test_maintenance_on_hold_comes_back_after_it() -> None:
    now = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)
    schedule, _ = interruptions.hold(in_maintenance(), held(now, date(2026, 6, 1)), 5, clinic(), now)
    assert all(a.starts_at <= now for a in schedule.booked())
    schedule, events = interruptions.resume(schedule, 6, diary(), now + timedelta(days=14))
    assert [e.local_time[:10] for e in only(events, SessionScheduled)] == ["2026-05-26", "2026-06-23"]
    assert not only(events, SessionReminderDue)


def test_a_week_called_off_far_ahead_does_not_push_the_rest_behind_it_after_a_hold() -> None:
    schedule = attend_first(course_of(12), 3)
    far = schedule.booked()[-2]
    schedule, _ = course.cancel_session(schedule, cancelled(far), diary(), HELD_AT - timedelta(days=1))
    schedule, _ = interruptions.hold(schedule, held(HELD_AT, REVIEW), 5, clinic(), HELD_AT)
    schedule, _ = interruptions.resume(schedule, 6, diary(), HELD_AT + timedelta(days=7))
    weeks = [a.regular_on for a in schedule.booked("acute")]
    assert weeks[0] == date(2026, 3, 31)
    assert far.regular_on not in weeks
    assert len(weeks) == 9
    assert weeks[-1] - weeks[0] == timedelta(weeks=9), "one week is left free, and nothing else"


def test_a_maintenance_that_goes_on_as_it_is_keeps_its_sessions_and_adds_to_them() -> None:
    before = in_maintenance()
    for now in (datetime(2026, 5, 19, 12, 30, tzinfo=UTC), datetime(2026, 5, 20, 12, 0, tzinfo=UTC)):
        fact = contracted("monthly", date(2026, 4, 20), date(2026, 9, 10))
        schedule, events = maintenance.contract(before, fact, 2, diary(), now)
        assert not only(events, AppointmentCancelled)
        assert [str(a.regular_on) for a in schedule.booked("maintenance")] == [
            *("2026-04-21", "2026-05-19", "2026-06-16", "2026-07-14"),
            *("2026-08-11", "2026-09-08"),
        ]


def test_a_maintenance_day_that_was_called_off_is_not_booked_again() -> None:
    schedule = in_maintenance()
    now = datetime(2026, 4, 22, 12, 0, tzinfo=UTC)
    for called_off in (schedule.booked("maintenance")[1], schedule.booked("maintenance")[-1]):
        schedule, _ = course.cancel_session(schedule, cancelled(called_off), diary(), now)
    on_hold, _ = interruptions.hold(schedule, held(now, date(2026, 4, 29)), 5, clinic(), now)
    resumed, _ = interruptions.resume(on_hold, 6, diary(), now + timedelta(days=7))
    prolonged, _ = maintenance.contract(
        schedule, contracted("monthly", date(2026, 4, 20), date(2026, 8, 20)), 7, diary(), now
    )
    to_come = [str(a.regular_on) for a in resumed.booked("maintenance") if a.starts_at > now]
    assert to_come == ["2026-06-16"]
    assert [str(a.regular_on) for a in prolonged.booked("maintenance") if a.starts_at > now] == [
        *("2026-06-16", "2026-08-11")
    ]


def test_a_review_decades_away_fills_no_diary() -> None:
    fact = contracted("weekly", date(2026, 4, 20), date(2126, 4, 20))
    schedule, events = maintenance.contract(in_maintenance(), fact, 3, diary(), HELD_AT)
    assert len(only(events, SessionScheduled)) < 3 * 53
    assert schedule.booked()[-1].regular_on < date(2029, 4, 1)


def test_a_maintenance_reviewed_earlier_than_planned_ends_earlier() -> None:
    now = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
    fact = contracted("monthly", date(2026, 4, 20), date(2026, 7, 1))
    schedule, events = maintenance.contract(in_maintenance(), fact, 2, diary(), now)
    assert [e.reason for e in only(events, AppointmentCancelled)] == ["maintenance_changed"]
    assert str(schedule.booked("maintenance")[-1].regular_on) == "2026-06-16"


def test_another_pace_leaves_todays_session_and_keeps_its_distance_from_it() -> None:
    now = datetime(2026, 5, 19, 12, 30, tzinfo=UTC)
    fact = contracted("twice_monthly", date(2026, 5, 20), date(2026, 6, 30))
    schedule, _ = maintenance.contract(in_maintenance(), fact, 2, diary(), now)
    assert [str(a.regular_on) for a in schedule.booked("maintenance")] == [
        *("2026-04-21", "2026-05-19", "2026-06-02", "2026-06-16", "2026-06-30"),
    ]
