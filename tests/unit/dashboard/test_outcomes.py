"""Figures: what a rate is of, what the middle is, and what several clinics make together."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from services.dashboard.calendar.hours import Clinics, read_clinics
from services.dashboard.outcomes import Kept, Outcomes, Window
from services.dashboard.outcomes.alerts import Crisis
from services.dashboard.outcomes.courses import Answered
from services.dashboard.outcomes.figures import Counted, Rate
from services.dashboard.outcomes.sessions import Attendance, Waited
from services.dashboard.outcomes.together import together
from services.dashboard.pages.outcomes import Asked, span_of
from services.dashboard.pages.outcomes.view import shown
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem

NOW = datetime(2026, 5, 26, 2, tzinfo=UTC)
"""Still the evening of the 25th at both clinics."""


@pytest.fixture(scope="module")
def clinics() -> Clinics:
    return read_clinics(Path("deploy/config/clinics.json"))


def viewer(clinic: str = "*") -> Viewer:
    return Viewer("someone", frozenset({"coordinator"}), clinic, NOW + timedelta(hours=1), "t")


def outcomes(**changes: object) -> Outcomes:
    known: dict[str, object] = {
        "answered": Answered(),
        "waited": Waited(Counted({})),
        "attendance": Attendance(),
        "phases": {},
        "crises": [],
        "escalated": {},
        "resolved": [],
        "by_rule": 0,
        "alerts": 0,
        "at": NOW,
    }
    return Outcomes(**(known | changes))  # type: ignore[arg-type]


def crisis(severity: str, **minutes: int) -> Crisis:
    taken = minutes.get("taken", 3)
    return Crisis(severity, 1, Counted({0: 1}), 0, Counted({taken: 1}), minutes.get("in_time", 1), 0)


def test_a_rate_of_nothing_is_no_number_and_never_zero() -> None:
    assert Rate(0, 0).percent is None
    assert not Rate(0, 0).few
    assert Rate(0, 4).percent == 0


def test_fewer_than_five_are_marked() -> None:
    assert Rate(1, 4).few
    assert not Rate(1, 5).few
    assert Counted({3: 4}).few
    assert not Counted({}).few


@pytest.mark.parametrize(
    ("times", "median"),
    [
        ({}, None),
        ({7: 1}, 7),
        ({1: 1, 3: 1}, 2),
        ({1: 3, 9: 1}, 1),
        ({1: 2, 5: 2}, 3),
        ({0: 1, 4: 1, 90: 1}, 4),
    ],
)
def test_the_median_is_the_middle_one_or_the_mean_of_two(times: dict[int, int], median: float | None) -> None:
    assert Counted(times).median == median


def test_every_wait_stands_in_exactly_one_column() -> None:
    hours = Counted({0: 2, 12: 1, 13: 1, 48: 3, 49: 1, 400: 1})
    columns = hours.columns((0, 12, 48, 72))
    assert columns == [(0, 12, 3), (12, 48, 4), (48, 72, 1), (72, None, 1)]
    assert sum(count for _, _, count in columns) == hours.total


def test_exactly_48_hours_are_within_48_hours() -> None:
    assert Waited(Counted({48: 1, 49: 1})).in_time == Rate(1, 2)


def test_cancelled_and_unrecorded_sessions_are_no_no_shows() -> None:
    assert Attendance(attended=6, missed=2, cancelled=5, unrecorded=4).no_show == Rate(2, 8)


def test_clinics_together_add_up_whoever_comes_first() -> None:
    one = outcomes(
        answered=Answered(courses=3, measured=3, judged=2, responded=1),
        waited=Waited(Counted({20: 1, 50: 1}), declined=1),
        attendance=Attendance(attended=2),
        phases={"initial": Counted({28: 1})},
        crises=[crisis("low"), crisis("high", taken=3)],
        escalated={"not_acknowledged": 1},
        resolved=[("crisis", "false_alarm", 1)],
        alerts=4,
    )
    other = outcomes(
        answered=Answered(courses=1, measured=1, judged=1, responded=1),
        waited=Waited(Counted({20: 2}), unbooked=1),
        attendance=Attendance(missed=1),
        phases={"initial": Counted({28: 1, 30: 1}), "middle": Counted({56: 1})},
        crises=[crisis("high", taken=9, in_time=0)],
        escalated={"lease_expired": 2, "not_acknowledged": 2},
        resolved=[("crisis", "false_alarm", 1), ("case_review", "reviewed", 3)],
        at=NOW - timedelta(seconds=30),
    )
    both = together([one, other])
    assert both == together([other, one])
    assert both.answered.response == Rate(2, 3)
    assert (both.waited.hours.times, both.waited.referrals) == ({20: 3, 50: 1}, 6)
    assert both.attendance.no_show == Rate(1, 3)
    assert both.phases["initial"].median == 28
    assert [(c.severity, c.raised, c.kept) for c in both.crises] == [
        ("high", 2, Rate(1, 1)),
        ("low", 1, Rate(1, 1)),
    ]
    assert both.escalated == {"not_acknowledged": 3, "lease_expired": 2}
    assert both.resolved == [("case_review", "reviewed", 3), ("crisis", "false_alarm", 2)]
    assert both.at == NOW - timedelta(seconds=30)


def test_one_clinic_together_is_itself() -> None:
    alone = outcomes(alerts=2)
    assert together([alone]) is alone


def test_nothing_to_count_is_empty_and_draws_nothing() -> None:
    nothing = outcomes()
    assert nothing.is_empty
    assert not any(shown(nothing)["pictures"].values())
    assert not outcomes(waited=Waited(Counted({}), undecided=1)).is_empty


def test_a_rate_of_nothing_has_no_bar() -> None:
    known = outcomes(answered=Answered(courses=2, measured=2, judged=0, remitted=1))
    picture = str(shown(known)["pictures"]["answered"])
    assert "Remission: 50 %" in picture
    assert "Response" not in picture


def test_days_are_those_of_each_clinic(clinics: Clinics) -> None:
    span = span_of(clinics, viewer(), Asked(clinic="", since="2026-05-01", until="2026-05-02"), NOW)
    known = {window.clinic: (window.since.hour, window.until.day) for window in span.windows}
    assert known == {"riverside": (4, 3), "lakeside": (5, 3)}


def test_the_last_half_year_of_the_first_clinic_unless_asked_otherwise(clinics: Clinics) -> None:
    span = span_of(clinics, viewer(), Asked(), NOW)
    assert span.clinic is not None
    assert (span.clinic.id, span.until, span.since) == ("riverside", date(2026, 5, 25), date(2025, 11, 24))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (Asked(clinic="lakeside"), 404),
        (Asked(clinic="nowhere"), 404),
        (Asked(since="2026-05-02", until="2026-05-01"), 422),
        (Asked(since="1999-01-01"), 422),
        (Asked(since="yesterday"), 422),
    ],
)
def test_what_cannot_be_asked_is_refused(clinics: Clinics, asked: Asked, status: int) -> None:
    with pytest.raises(Problem) as refusal:
        span_of(clinics, viewer("riverside"), asked, NOW)
    assert refusal.value.status == status


def test_who_sees_one_clinic_gets_it_also_when_asking_for_all(clinics: Clinics) -> None:
    span = span_of(clinics, viewer("lakeside"), Asked(clinic=""), NOW)
    assert [window.clinic for window in span.windows] == ["lakeside"]


async def test_a_question_is_counted_once_for_everybody_who_asks() -> None:
    counted: list[Window] = []

    async def counting(window: Window) -> Outcomes:
        counted.append(window)
        return outcomes()

    kept = Kept(counting)
    window, other = Window("riverside", NOW, NOW), Window("lakeside", NOW, NOW)
    assert await kept.of(window) is await kept.of(window)
    await kept.of(other)
    assert counted == [window, other]


async def test_a_count_that_failed_is_tried_again() -> None:
    counted: list[Window] = []

    async def counting(window: Window) -> Outcomes:
        counted.append(window)
        if len(counted) == 1:
            raise ConnectionError
        return outcomes()

    kept = Kept(counting)
    window = Window("riverside", NOW, NOW)
    with pytest.raises(ConnectionError):
        await kept.of(window)
    assert await kept.of(window)
