"""Wall-clock time: the time zone section of the catalogue of bad inputs (83–92)."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from services.scheduler.domain import moving, timers
from services.scheduler.domain.clinics import Clinic
from services.scheduler.domain.course import start
from services.scheduler.domain.schedule import Schedule
from services.scheduler.domain.wall_time import known_zone, local_of, parse, resolve, zones
from services.scheduler.events import ScheduleEvent, SessionMoved, SessionReminderDue, WeeklySessionDue
from services.scheduler.views import MoveForm
from tests.unit.scheduler.builders import MONDAY, clinic, course_of, diary, local_times, only, started, wall

NEW_YORK = "America/New_York"


@pytest.mark.parametrize("name", ["america/new_york", "UTC+5", "", "../../etc/passwd", "America/New_York\n"])
def test_what_is_no_zone_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an IANA zone"):
        known_zone(name)


@pytest.mark.parametrize(
    "name", ["EST5EDT", "localtime", "US/Eastern", "Etc/GMT+5", "GMT", "posixrules", "Factory"]
)
def test_a_legacy_zone_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        clinic(zone=name)


@pytest.mark.parametrize(
    "name", [NEW_YORK, "Australia/Lord_Howe", "Pacific/Apia", "America/Indiana/Knox", "UTC"]
)
def test_a_zone_in_use_is_accepted(name: str) -> None:
    assert name in zones()


def test_half_past_two_in_the_night_of_the_gap_is_half_past_three_and_marked() -> None:
    moment = resolve(wall("2026-03-08T02:30"), NEW_YORK)
    assert moment.local == wall("2026-03-08T03:30")
    assert moment.starts_at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert moment.oddity == "gap"


def test_half_past_one_in_the_doubled_hour_is_the_first_of_the_two_only() -> None:
    moment = resolve(wall("2026-11-01T01:30"), NEW_YORK)
    assert moment.starts_at == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert moment.local == wall("2026-11-01T01:30")
    assert moment.oddity == "first_of_two"


def test_lord_howe_skips_half_an_hour() -> None:
    gap = resolve(wall("2026-10-04T02:15"), "Australia/Lord_Howe")
    assert (gap.local, gap.oddity) == (wall("2026-10-04T02:45"), "gap")
    doubled = resolve(wall("2026-04-05T01:45"), "Australia/Lord_Howe")
    assert doubled.oddity == "first_of_two"
    assert doubled.starts_at == datetime(2026, 4, 4, 14, 45, tzinfo=UTC)


def test_the_day_apia_lost_is_the_next_valid_one() -> None:
    moment = resolve(wall("2011-12-30T10:00"), "Pacific/Apia")
    assert moment.local == wall("2011-12-31T10:00")
    assert moment.oddity == "gap"


def test_ten_o_clock_stays_ten_o_clock_when_the_clocks_change() -> None:
    schedule = course_of(12, at=datetime(2026, 2, 24, 14, 0, tzinfo=UTC))
    clocks = {local_of(a.starts_at, NEW_YORK).time() for a in schedule.booked()}
    assert len(clocks) == 1
    assert {a.local.time() for a in schedule.booked()} == clocks
    gaps = {b.starts_at - a.starts_at for a, b in pairwise(schedule.booked())}
    assert gaps == {timedelta(days=7), timedelta(days=7, hours=-1)}


@pytest.mark.parametrize(
    "text",
    ["2026-03-09", "2026-03-09T10", "2026-03-09T10:00:60", "2026-03-09T10:60", "2026-03-09T10:00Z",
     "2026-03-09T10:00+01:00", "2026-02-30T10:00", "0001-01-01T00:00", "２０２６-03-09T10:00", ""],
)  # fmt: skip
def test_a_truncated_zoned_or_impossible_local_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever message it gets
        parse(text)
    with pytest.raises(ValidationError):
        MoveForm(local_time=text)


def test_a_naive_instant_out_of_the_store_is_refused() -> None:
    stored = course_of(2).model_dump()
    stored["started_at"] = stored["started_at"].replace(tzinfo=None)
    with pytest.raises(ValidationError):
        Schedule.model_validate(stored)


def kept(schedule: Schedule, at: Clinic, now: datetime) -> tuple[Schedule, list[ScheduleEvent]]:
    """What becomes of a schedule beside which nothing stands."""
    [decision] = moving.keep_wall_times([schedule], diary(at=at, taken=instants(schedule)), now)
    return decision


def instants(*schedules: Schedule) -> set[datetime]:
    return {a.starts_at for schedule in schedules for a in schedule.booked()}


def reckoned_an_hour_off(schedule: Schedule) -> Schedule:
    """As if the zone's rules had changed since it was stored: every instant an hour early."""
    hour = timedelta(hours=1)
    return schedule.revised(
        appointments=tuple(
            a.model_copy(
                update={
                    "starts_at": a.starts_at - hour,
                    "timers": tuple(
                        t.model_copy(update={"due_at": t.due_at - hour, "session_at": a.starts_at - hour})
                        for t in a.timers
                    ),
                }
            )
            for a in schedule.appointments
        )
    )


def test_after_new_zone_rules_sessions_to_come_keep_their_wall_time() -> None:
    right = course_of(4)
    wrong = reckoned_an_hour_off(right)
    mended, events = kept(wrong, clinic(), MONDAY)
    assert local_times(mended) == local_times(right)
    assert [a.starts_at for a in mended.booked()] == [a.starts_at for a in right.booked()]
    assert {event.reason for event in only(events, SessionMoved)} == {"zone_changed"}
    assert mended.next_due == right.next_due


def test_after_new_zone_rules_nothing_is_announced_twice() -> None:
    wrong = reckoned_an_hour_off(course_of(2))
    morning = datetime(2026, 3, 3, 12, 30, tzinfo=UTC)
    told, first = timers.due(wrong, morning)
    assert only(first, WeeklySessionDue)
    mended, _ = kept(told, clinic(), morning)
    _, again = timers.due(mended, morning)
    assert not only(again, WeeklySessionDue)
    assert not only(again, SessionReminderDue)


def test_a_new_zone_of_the_clinic_moves_sessions_to_come_and_no_others() -> None:
    schedule = course_of(4)
    first, second, *_ = schedule.booked()
    later, _ = kept(schedule, clinic(zone="America/Chicago"), first.starts_at + timedelta(hours=1))
    assert later.appointments[0] == first
    assert later.appointments[1].zone == "America/Chicago"
    assert later.appointments[1].local_time == second.local_time
    assert later.appointments[1].starts_at == second.starts_at + timedelta(hours=1)


def test_in_a_new_zone_what_cannot_keep_its_wall_time_takes_no_place_of_those_who_can() -> None:
    """Halifax is an hour ahead: at half past nine in New York ten o'clock is past there."""
    nine = course_of(4)
    ten = course_of(4, diary=diary(taken=instants(nine)))
    now = nine.booked()[0].starts_at + timedelta(minutes=30)
    staying = resolve(wall("2026-03-10T09:00"), "America/Halifax").starts_at
    taken = {staying, *instants(nine, ten)}
    moved = moving.keep_wall_times([ten, nine], diary(at=clinic(zone="America/Halifax"), taken=taken), now)
    (after_ten, _), (after_nine, _) = moved
    assert after_nine.appointments[0] == nine.appointments[0]
    assert local_times(after_nine)[1:] == ["2026-03-10T11:00", *local_times(nine)[2:]]
    assert local_times(after_ten) == ["2026-03-03T11:00", *local_times(ten)[1:]]
    assert len(instants(after_nine, after_ten) | {staying}) == 9


def test_in_every_zone_a_weekly_hour_stays_the_same_for_a_year() -> None:
    for zone in ("Europe/London", "Asia/Tehran", "America/St_Johns", "Pacific/Chatham", "Africa/Casablanca"):
        home = clinic(zone=zone)
        schedule, _ = start(started(52, at=MONDAY), diary(at=home), MONDAY)
        regular = {local_of(a.starts_at, zone).time() for a in schedule.booked() if not a.adjusted}
        assert regular == {schedule.regular_time}


def test_a_slot_that_does_not_exist_is_never_booked() -> None:
    night = clinic(hours={"days": ["sun"], "opens": "01:00", "closes": "05:00"})
    book = diary(at=night)
    assert book.obstacle(wall("2026-03-08T02:00")) == "clinic_hours"
    assert [slot.local.time() for slot in book.open_slots(date(2026, 3, 8))] == [time(1), time(3), time(4)]
    assert ZoneInfo(NEW_YORK).utcoffset(wall("2026-03-08T03:00")) == timedelta(hours=-4)
