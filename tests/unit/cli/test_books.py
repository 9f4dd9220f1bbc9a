"""Expected against outcome, joined across services."""

import pytest

from deploy.books import BookLine, Entry, entries, join
from shared.service import BookEntry


def line(*counted: Entry) -> BookLine:
    (joined,) = join(counted)
    return joined


def test_a_kind_balances_when_what_was_expected_in_one_service_ended_in_another() -> None:
    intake = {"service": "intake", "entries": [{"kind": "crisis_flag", "column": "expected", "count": 5}]}
    alerts = {
        "service": "alerts",
        "entries": [
            {"kind": "crisis_flag", "column": "done", "count": 3},
            {"kind": "crisis_flag", "column": "open", "count": 2},
        ],
    }
    (joined,) = join(entries([intake, alerts]))
    assert joined == BookLine("crisis_flag", expected=5, done=3, open=2)
    assert joined.balanced


def test_what_disappeared_is_the_difference() -> None:
    joined = line(
        Entry("session", "expected", 12), Entry("session", "done", 7), Entry("session", "cancelled", 1)
    )
    assert joined.difference == 4
    assert not joined.balanced


def test_what_nobody_expected_is_a_negative_difference() -> None:
    assert line(Entry("session", "expected", 1), Entry("session", "done", 2)).difference == -1


def test_the_same_column_of_two_services_adds_up() -> None:
    joined = line(
        Entry("crisis_flag", "expected", 2),
        Entry("crisis_flag", "expected", 3),
        Entry("crisis_flag", "open", 5),
    )
    assert joined.expected == 5
    assert joined.balanced


@pytest.mark.parametrize(
    "counted",
    [
        [Entry("alert", "done", 0)],
        [Entry("alert", "done", 4), Entry("alert", "open", 1)],
        [Entry("alert", "expected", 0)],
    ],
)
def test_a_kind_of_which_one_side_is_not_stated_is_incomplete_and_does_not_balance(
    counted: list[Entry],
) -> None:
    joined = line(*counted)
    assert joined.incomplete
    assert joined.difference is None
    assert not joined.balanced


def test_nothing_expected_and_nothing_done_balances() -> None:
    assert line(Entry("care_plan", "expected", 0), Entry("care_plan", "open", 0)).balanced


def test_a_service_s_own_entries_join_as_they_are() -> None:
    (joined,) = join([BookEntry("alert", "expected", 1), BookEntry("alert", "breached", 1)])
    assert joined.balanced


def test_kinds_come_by_name_and_a_column_nobody_knows_is_refused() -> None:
    joined = join([Entry("b", "open", 1), Entry("a", "open", 1)])
    assert [one.kind for one in joined] == ["a", "b"]
    with pytest.raises(ValueError, match="vanished"):
        join([Entry("a", "vanished", 1)])
