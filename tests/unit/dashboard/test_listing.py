"""Cursors: what a row can be ordered by comes back, anything else is refused in words."""

import base64
import json
from datetime import UTC, datetime

import pytest

from services.dashboard.listing import BadQuery, cursor, instant, place


def made_by_hand(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    assert place(cursor([3, "2026-03-02T15:00:00+00:00", "pat_ä"])) == [
        3,
        "2026-03-02T15:00:00+00:00",
        "pat_ä",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "[1e999]", "[Infinity]", "[NaN]", "[0.5]", "[null]", "[[1]]", '["\\ud800"]',
     json.dumps([10**30]), json.dumps([-(10**30)])],
)  # fmt: skip
def test_a_cursor_that_no_row_can_have_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        place(made_by_hand(text))


@pytest.mark.parametrize("value", ["soon", 7, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_cannot_be_kept_is_refused(value: object) -> None:
    with pytest.raises(BadQuery):
        instant(value)


def test_a_time_comes_back_as_the_instant_it_was() -> None:
    assert instant("2026-03-02T10:00:00-05:00") == datetime(2026, 3, 2, 15, tzinfo=UTC)
