"""The first session: within 48 hours inside clinic hours, else the next clinic hour with its reason."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.scheduler.domain.clinics import Hours, Leave
from services.scheduler.domain.course import start
from services.scheduler.domain.diary import Diary
from services.scheduler.domain.wall_time import resolve
from services.scheduler.events import SessionScheduled
from shared.errors import Refused
from tests.unit.scheduler.builders import (
    MONDAY,
    NEW_YORK,
    away,
    clinic,
    diary,
    local_times,
    only,
    started,
    wall,
)

HOUR = timedelta(hours=1)


def first_of(at: datetime, book: Diary | None = None, now: datetime | None = None) -> SessionScheduled:
    _, events = start(started(12, at=at), book or diary(), now or at)
    return only(events, SessionScheduled)[0]


def test_it_takes_place_within_48_hours_inside_clinic_hours() -> None:
    first = first_of(MONDAY)
    assert MONDAY < first.starts_at <= MONDAY + 48 * HOUR
    assert first.local_time == "2026-03-03T09:00"
    assert first.adjusted == ()
    assert (first.zone, first.minutes, first.number, first.kind) == (NEW_YORK, 60, 1, "acute")


def test_on_a_friday_it_is_the_same_day_rather_than_after_the_weekend() -> None:
    friday = datetime(2026, 3, 6, 15, 30, tzinfo=UTC)
    assert first_of(friday).local_time == "2026-03-06T11:00"


def test_after_hours_on_friday_it_is_monday_and_the_reason_says_so() -> None:
    friday_evening = datetime(2026, 3, 6, 23, 0, tzinfo=UTC)
    first = first_of(friday_evening)
    assert first.local_time == "2026-03-09T09:00"
    assert first.adjusted == ("clinic_hours",)


def test_a_holiday_after_the_weekend_pushes_it_to_tuesday_with_both_reasons() -> None:
    saturday = datetime(2026, 5, 23, 15, 0, tzinfo=UTC)
    first = first_of(saturday)
    assert first.local_time == "2026-05-26T09:00"
    assert first.adjusted == ("clinic_hours", "holiday")


def test_leave_of_the_clinician_pushes_it_back_with_its_reason() -> None:
    first = first_of(MONDAY, diary(leave=[away(date(2026, 3, 2), date(2026, 3, 5))]))
    assert first.local_time == "2026-03-06T09:00"
    assert first.adjusted == ("clinician_leave",)


def test_a_full_diary_pushes_it_back_with_its_reason() -> None:
    book = diary()
    full = {slot.starts_at for day in (2, 3, 4) for slot in book.open_slots(date(2026, 3, day))}
    first = first_of(MONDAY, diary(taken=full))
    assert first.local_time == "2026-03-05T09:00"
    assert first.adjusted == ("double_booking",)


def test_a_plan_that_reaches_us_days_late_starts_as_soon_as_possible_and_says_late() -> None:
    first = first_of(MONDAY, now=MONDAY + timedelta(days=4))
    assert first.local_time == "2026-03-06T11:00"
    assert first.adjusted == ("late_start",)


def test_among_the_slots_in_time_the_one_is_taken_that_stays_free_in_later_weeks() -> None:
    nine = wall("2026-03-10T09:00")
    busy = {resolve(nine + timedelta(weeks=week), NEW_YORK).starts_at for week in range(6)}
    schedule, _ = start(started(6), diary(taken=busy), MONDAY)
    assert local_times(schedule) == [
        f"2026-{day}T10:00" for day in ("03-03", "03-10", "03-17", "03-24", "03-31", "04-07")
    ]


def test_a_clinician_who_is_away_for_years_is_no_silent_loop_but_a_named_refusal() -> None:
    with pytest.raises(Refused, match="no_free_slot"):
        first_of(MONDAY, diary(leave=[away(date(2026, 1, 1), date(2030, 1, 1))]))


def test_hours_must_hold_a_slot_and_open_before_they_close() -> None:
    with pytest.raises(ValueError, match="opens before"):
        Hours.model_validate({"days": ["mon"], "opens": "17:00", "closes": "09:00"})
    with pytest.raises(ValueError, match="no slot"):
        clinic(hours={"days": ["mon"], "opens": "09:00", "closes": "09:30"})
    with pytest.raises(ValueError, match="on or after"):
        Leave(first=date(2026, 3, 2), last=date(2026, 3, 1))
    with pytest.raises(ValueError, match="unknown country"):
        clinic(holidays={"country": "Atlantis"})
