"""The week as it is arranged: what is free, what is closed, what nobody recorded."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from services.dashboard.calendar.feed import Revision, calendar
from services.dashboard.calendar.hours import Away, ClinicHours, Clinics, read_clinics
from services.dashboard.calendar.week import Entry, days_shown, grid, lane, monday_of, week_of
from services.dashboard.feeds import may_keep, secret_for
from services.dashboard.pages.calendar.away import mistakes
from services.dashboard.pages.calendar.place import Asked, Place, resolve
from services.dashboard.web.viewer import Viewer
from shared.http.caller import Role
from shared.http.problems import Problem

CLINICS = Path("deploy/config/clinics.json")
ZONE = ZoneInfo("America/New_York")
MONDAY, TUESDAY = date(2026, 5, 25), date(2026, 5, 26)
NOW = datetime(2026, 5, 26, 15, 30, tzinfo=UTC)
"""Tuesday 11:30 in New York; the Monday was Memorial Day."""


@pytest.fixture(scope="module")
def clinics() -> Clinics:
    return read_clinics(CLINICS)


@pytest.fixture(scope="module")
def clinic(clinics: Clinics) -> ClinicHours:
    found = clinics.get("riverside")
    assert found is not None
    return found


wall = datetime.fromisoformat
"""A wall time, naive."""


def entry(local: datetime, **changes: Any) -> Entry:
    known: dict[str, Any] = {
        "id": "pln_1.a5",
        "patient_id": "pat_1",
        "clinician_id": "cln_r01",
        "number": 5,
        "sessions": 16,
        "kind": "acute",
        "starts_at": local.replace(tzinfo=ZONE).astimezone(UTC),
        "local": local,
        "minutes": 60,
        "status": "planned",
    }
    return Entry(**(known | changes))


def viewer(*roles: Role, subject: str = "someone", clinic: str = "riverside", key: str = "t") -> Viewer:
    return Viewer(subject, frozenset(roles), clinic, NOW + timedelta(hours=1), key)


def place(clinics: Clinics, who: Viewer, **asked: Any) -> Place:
    return resolve(clinics, who, Asked(**asked), NOW)


def test_free_hours_are_those_to_come_that_nothing_stands_in(clinic: ClinicHours) -> None:
    shown = lane(clinic, "cln_r01", TUESDAY, [entry(wall("2026-05-26T14:00"))], (), NOW)
    assert shown.free == (time(12), time(13), time(15), time(16))


def test_a_cancelled_session_gives_its_hour_back(clinic: ClinicHours) -> None:
    cancelled = entry(wall("2026-05-26T14:00"), status="cancelled")
    shown = lane(clinic, "cln_r01", TUESDAY, [cancelled], (), NOW)
    assert time(14) in shown.free
    assert (shown.kept, shown.counts["cancelled"]) == (0, 1)


def test_a_session_between_two_slots_takes_both(clinic: ClinicHours) -> None:
    shown = lane(clinic, "cln_r01", TUESDAY, [entry(wall("2026-05-26T14:30"))], (), NOW)
    assert shown.free == (time(12), time(13), time(16))


@pytest.mark.parametrize(
    ("day", "leave", "closed", "note"),
    [
        (MONDAY, (), "holiday", "Memorial Day"),
        (date(2026, 5, 30), (), "weekend", "Closed"),
        (date(2026, 5, 27), (Away(first=TUESDAY, last=date(2026, 5, 27)),), "leave", "Leave"),
        (date(2026, 5, 28), (Away(first=TUESDAY, last=date(2026, 5, 27)),), None, ""),
    ],
)
def test_a_closed_day_has_no_free_hour_and_says_why(
    clinic: ClinicHours, day: date, leave: tuple[Away, ...], closed: str | None, note: str
) -> None:
    shown = lane(clinic, "cln_r01", day, (), leave, NOW)
    assert (shown.closed, shown.note) == (closed, note)
    assert bool(shown.free) == (closed is None)


@pytest.mark.parametrize(
    ("status", "local", "overdue", "state"),
    [
        ("planned", wall("2026-05-26T12:00"), False, "planned"),
        ("planned", wall("2026-05-26T11:00"), False, "planned"),
        ("planned", wall("2026-05-26T10:00"), False, "unrecorded"),
        ("planned", wall("2026-05-26T10:00"), True, "unrecorded"),
        ("attended", wall("2026-05-26T10:00"), True, "attended"),
        ("missed", wall("2026-05-26T10:00"), True, "missed"),
    ],
)
def test_a_session_whose_time_is_past_is_not_recorded_until_somebody_says_so(
    status: str, local: datetime, overdue: bool, state: str
) -> None:
    assert entry(local, status=status, overdue=overdue).state(NOW) == state


def test_sessions_out_of_hours_get_rows_of_their_own_and_none_is_lost(clinic: ClinicHours) -> None:
    early, late = entry(wall("2026-05-26T07:30")), entry(wall("2026-05-26T18:00"), id="pln_1.a6")
    rows = grid(clinic, [lane(clinic, "cln_r01", TUESDAY, [early, late], (), NOW)])
    assert [at for at, _ in rows][:2] == [time(7), time(9)]
    assert rows[-1][0] == time(18)
    assert [e for _, cells in rows for cell in cells for e in cell.entries] == [early, late]
    assert rows[0][1][0].closed


def test_a_weekend_is_shown_when_something_stands_on_it(clinic: ClinicHours) -> None:
    saturday = wall("2026-05-30T10:00")
    assert len(days_shown(clinic, MONDAY, [])) == 5
    assert days_shown(clinic, MONDAY, [entry(saturday)])[-1] == saturday.date()


def test_weeks_go_there_and_back_over_the_turn_of_the_year() -> None:
    assert week_of(date(2027, 1, 1)) == "2026-W53"
    assert monday_of("2026-W53") == date(2026, 12, 28)


def test_a_clinician_sees_their_own_week_first_and_a_coordinator_everybodys(clinics: Clinics) -> None:
    own = place(clinics, viewer("clinician", subject="cln_r02"))
    assert (own.clinic.id, own.clinician, own.day) == ("riverside", "cln_r02", TUESDAY)
    assert place(clinics, viewer("clinician", subject="cln_r02"), clinician="").clinician == ""
    assert place(clinics, viewer("coordinator", subject="cln_r02")).clinician == ""


@pytest.mark.parametrize("asked", [{"clinic": "lakeside"}, {"clinician": "cln_l01"}, {"clinic": "nowhere"}])
def test_another_clinic_is_as_if_absent(clinics: Clinics, asked: dict[str, str]) -> None:
    with pytest.raises(Problem) as refusal:
        place(clinics, viewer("coordinator"), **asked)
    assert refusal.value.status == 404


def test_a_clinician_of_another_clinic_is_not_found_in_this_one(clinics: Clinics) -> None:
    with pytest.raises(Problem) as refusal:
        place(clinics, viewer("coordinator", clinic="*"), clinic="riverside", clinician="cln_l01")
    assert refusal.value.status == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"day": "2026-02-30"},
        {"day": "9999-12-31"},
        {"week": "2026-W54"},
        {"week": "2026"},
        {"week": "2026-W1"},
        {"week": "W22-2026"},
        {"week": "0000-W01"},
    ],
)
def test_a_date_that_is_none_is_refused_with_an_example(clinics: Clinics, asked: dict[str, str]) -> None:
    with pytest.raises(Problem) as refusal:
        place(clinics, viewer("coordinator"), **asked)
    assert (refusal.value.status, refusal.value.reason) == (422, "date_unknown")


def test_links_lead_to_the_next_week_and_over_the_weekend(clinics: Clinics) -> None:
    week = place(clinics, viewer("coordinator"), clinician="cln_r01")
    assert week.stepped(1) == "/calendar?clinic=riverside&clinician=cln_r01&week=2026-W23"
    friday = place(clinics, viewer("coordinator"), day="2026-05-29", view="day")
    assert "day=2026-06-01" in friday.stepped(1)
    assert "day=2026-05-28" in friday.stepped(-1)


def test_a_week_is_seven_days_of_the_clinic_even_when_the_clocks_change(clinics: Clinics) -> None:
    since, until = place(clinics, viewer("coordinator"), week="2026-W10").span
    assert since.isoformat() == "2026-03-02T00:00:00-05:00"
    assert until.isoformat() == "2026-03-09T00:00:00-04:00"


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({}, ["clinician_id", "from", "to"]),
        ({"clinician_id": "cln_r01", "from": "2026-06-02", "to": "2026-06-01"}, ["to"]),
        ({"clinician_id": "cln_r01", "from": "2026-06-02", "to": "2027-07-01"}, ["to"]),
        ({"clinician_id": "cln_r01", "from": "soon", "to": "2026-06-01"}, ["from"]),
        ({"clinician_id": "cln_r01", "from": "2026-06-01", "to": "2026-06-01"}, []),
    ],
)
def test_leave_that_cannot_be_is_mended_before_it_is_sent(form: dict[str, str], fields: list[str]) -> None:
    assert [name for name, _ in mistakes(form)] == fields


def test_a_clinician_keeps_their_own_feed_and_a_coordinator_all_of_the_clinic() -> None:
    assert may_keep(viewer("clinician", subject="cln_r01"), "cln_r01", "riverside")
    assert not may_keep(viewer("clinician", subject="cln_r01"), "cln_r02", "riverside")
    assert may_keep(viewer("coordinator"), "cln_r02", "riverside")
    assert not may_keep(viewer("coordinator"), "cln_l01", "lakeside")
    assert not may_keep(viewer("engineer", subject="cln_r01"), "cln_r01", "riverside")


def test_a_form_sent_twice_makes_one_address_and_nobody_else_can_make_it() -> None:
    mine = viewer("clinician", subject="cln_r01", key="mine")
    once = secret_for(mine, "cln_r01", "key")
    assert once == secret_for(mine, "cln_r01", "key")
    others = {
        secret_for(mine, "cln_r01", "another key"),
        secret_for(mine, "cln_r02", "key"),
        secret_for(viewer("clinician", subject="cln_r01", key="theirs"), "cln_r01", "key"),
    }
    assert once not in others
    assert len(others) == 3
    assert len(once) == 43


def test_a_feed_names_times_and_numbers_and_nobody(clinic: ClinicHours) -> None:
    held = entry(wall("2026-03-09T10:00"))
    gone = entry(wall("2026-03-02T10:00"), id="pln_1.a4", number=4, status="cancelled")
    later = entry(wall("2026-06-02T09:00"), id="pln_1.m1", number=1, kind="maintenance")
    known = {held.id: Revision(2, NOW)}
    body = calendar(clinic, "cln_r01", [gone, held, later], known, page="https://kith.example", now=NOW)
    file = Calendar.from_ical(body)
    events = {str(event["uid"]): event for event in file.walk("VEVENT")}
    assert [str(zone["tzid"]) for zone in file.walk("VTIMEZONE")] == ["America/New_York"]
    assert b"DTSTART;TZID=America/New_York:20260309T100000" in body
    assert str(events[held.id]["summary"]) == "Session 5 of 16"
    assert (str(events[held.id]["status"]), int(events[held.id]["sequence"])) == ("CONFIRMED", 2)
    assert str(events[gone.id]["status"]) == "CANCELLED"
    assert str(events[later.id]["summary"]) == "Maintenance session 1"
    assert str(events[held.id]["url"]) == "https://kith.example/people/pat_1"
    assert events[held.id].start.astimezone(UTC) == held.starts_at
