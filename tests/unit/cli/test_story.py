"""The order in which a story is told, and what is said of each event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from deploy.cli.rendering import facts, moment, printable
from deploy.cli.story import Entry, Line, Summary, tell

START = datetime(2026, 3, 2, 15, tzinfo=UTC)


def entry(id: str, minute: float = 0, *, cause: str | None = None, **changes: Any) -> Entry:
    told = Entry(
        at=START + timedelta(minutes=minute),
        service="intake",
        type="ReferralReceived",
        id=id,
        subject=id,
        sequence=1,
        topic="intake.referrals",
        causation_id=cause,
        correlation_id="req-1",
        body={},
    )
    return replace(told, **changes)


def ids(lines: list[Line]) -> list[str]:
    return [line.entry.id for line in lines]


def test_a_story_is_told_by_time() -> None:
    assert ids(tell([entry("late", 9), entry("early", 1), entry("between", 5)])) == [
        "early",
        "between",
        "late",
    ]


def test_a_cause_never_stands_after_its_effect_even_when_clocks_differ() -> None:
    told = tell([entry("effect", 0, cause="cause"), entry("cause", 3), entry("first", 1)])
    assert ids(told) == ["first", "cause", "effect"]
    assert told[2].because == "← #2"


def test_what_one_subject_announced_stays_in_its_sequence() -> None:
    second = entry("second", 0, subject="ref", sequence=2)
    first = entry("first", 1, subject="ref", sequence=1)
    assert ids(tell([second, first])) == ["first", "second"]


def test_any_arrival_order_tells_the_same_story() -> None:
    chain = [entry(f"e{n}", n % 7, cause=f"e{n - 1}" if n % 3 else None) for n in range(40)]
    expected = ids(tell(chain))
    for seed in range(5):
        shuffled = chain.copy()
        Random(seed).shuffle(shuffled)  # noqa: S311
        assert ids(tell(shuffled)) == expected


def test_nothing_is_left_out_when_causes_go_in_a_circle() -> None:
    assert sorted(ids(tell([entry("a", 1, cause="b"), entry("b", 2, cause="a")]))) == ["a", "b"]


def test_an_event_that_two_services_tell_is_told_once() -> None:
    assert len(tell([entry("e"), entry("e")])) == 1


def test_a_request_an_unseen_event_and_the_clock_are_told_apart() -> None:
    told = tell(
        [
            entry("asked", 0),
            entry("asked-too", 0),
            entry("unseen", 1, cause="somewhere"),
            entry("due", 2, service="scheduler"),
            entry("swept", 3, correlation_id="-"),
        ]
    )
    assert [line.because for line in told] == [
        "a request",
        "a request",
        "← elsewhere",
        "the clock",
        "the clock",
    ]


def test_the_summary_counts_things_and_not_their_events() -> None:
    lines = tell(
        [
            entry("1", type="SessionScheduled", body={"appointment_id": "a"}),
            entry("2", type="SessionMoved", body={"appointment_id": "a"}),
            entry("3", type="AlertRaised", body={"alert_id": "x"}),
            entry("4", type="AlertNotified", body={"delivery_id": "d1"}),
            entry("5", type="AlertNotified", body={"delivery_id": "d2"}),
        ]
    )
    assert str(Summary.of(lines)) == "5 events, 1 appointment, 1 alert, 2 deliveries"


def test_a_told_entry_is_read_back_as_it_was() -> None:
    one = entry("e", 4, body={"number": 3})
    assert Entry.of(one.as_json()) == one


def test_facts_are_numbers_codes_and_days_and_never_ids() -> None:
    body = {
        "patient_id": "pat_1",
        "clinic_id": "riverside",
        "appointment_id": "app_1",
        "number": 9,
        "kind": "acute",
        "starts_at": "2027-01-19T21:00:00Z",
        "local_time": "2027-01-19T16:00:00",
        "adjusted": ["holiday", "clinic_hours"],
        "relapse": True,
        "held": False,
        "late_by_seconds": 0,
    }
    assert facts(body) == "number 9, acute, 2027-01-19 16:00, adjusted holiday and clinic hours, relapse"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-03-02T10:00:00-05:00", "2026-03-02 15:00Z"),
        ("2026-03-02T10:00:00", "2026-03-02 10:00"),
        ("2026-03-02", "2026-03-02"),
        ("Thursday", "Thursday"),
    ],
)
def test_instants_are_shown_to_the_minute_in_utc_and_wall_times_as_they_are(text: str, shown: str) -> None:
    assert moment(text) == shown


def test_what_somebody_sent_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31mb\rc\nd\u202e") == "a\\x1b[31mb\\rc\nd\\u202e"
