"""Rows on their way to an intake that sometimes fails."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from stamina.instrumentation import set_on_retry_hooks

from deploy.cli.client import Failed
from deploy.cli.importing.sending import (
    IN_FLIGHT,
    NEVER_VALID,
    ROWS_AT_ONCE,
    Batch,
    Sending,
    Tally,
    batches,
    sendable,
)
from services.intake.importing import rows
from shared.http import strict_json
from tests.unit.cli.intake import Intake


@pytest.fixture(autouse=True)
def _quiet_retries() -> Iterator[None]:
    set_on_retry_hooks([])
    yield
    set_on_retry_hooks(None)


def csv(*ids: str) -> list[str]:
    return ["external_id\n", *(f"{id}\n" for id in ids)]


def many(count: int) -> list[str]:
    return csv(*(f"r{n}" for n in range(count)))


async def send(intake: Intake, lines: list[str], *, clinic: str | None = None, patience: float = 10) -> Tally:
    tally = Tally()
    async with intake.client() as client:
        await Sending(client, clinic, tally, patience).send_all(batches(rows(lines, "csv"), tally))
    return tally


async def test_all_rows_arrive_in_requests_of_at_most_their_number() -> None:
    intake = Intake()
    tally = await send(intake, many(2 * ROWS_AT_ONCE + 1), clinic="riverside")
    assert (tally.sent, tally.created, tally.errors) == (501, 501, {})
    assert sorted(len(sent) for sent in intake.requests) == [1, ROWS_AT_ONCE, ROWS_AT_ONCE]
    assert intake.clinics == {"riverside"}


async def test_the_same_file_twice_makes_nothing_twice() -> None:
    intake = Intake()
    await send(intake, many(300))
    again = await send(intake, many(300))
    assert (again.created, again.unchanged) == (0, 300)


async def test_an_intake_that_recovers_loses_no_row() -> None:
    intake = Intake(503, 503)
    tally = await send(intake, many(10))
    assert (tally.sent, tally.created) == (10, 10)
    assert len(intake.requests) == 3


async def test_an_answer_lost_on_its_way_is_asked_for_again_and_counts_once() -> None:
    intake = Intake("lost")
    tally = await send(intake, many(10))
    assert (tally.created, tally.unchanged) == (10, 0), "the same key is answered as before"


async def test_an_intake_that_stays_away_ends_the_import_in_time() -> None:
    tally = Tally()
    intake = Intake(*[503] * 1000)
    async with intake.client() as client:
        with pytest.raises(Failed, match="storage_unavailable"):
            await Sending(client, None, tally, patience=0.1).send_all(batches(rows(many(5), "csv"), tally))
    assert tally.sent == 0


async def test_a_request_refused_as_a_whole_is_not_tried_again() -> None:
    tally = Tally()
    intake = Intake(422)
    async with intake.client() as client:
        with pytest.raises(Failed, match="invalid"):
            await Sending(client, "?", tally).send_all(batches(rows(many(5), "csv"), tally))
    assert len(intake.requests) == 1


async def test_what_is_too_large_together_goes_in_halves() -> None:
    intake = Intake(limit=3)
    tally = await send(intake, many(10))
    assert (tally.sent, tally.created) == (10, 10)


async def test_a_row_that_is_too_large_by_itself_is_that_row_s_error() -> None:
    tally = await send(Intake(limit=0), many(3))
    assert tally.errors == dict.fromkeys((1, 2, 3), ("body_too_large",))


async def test_a_wrong_row_is_sent_too_and_told_once() -> None:
    """Intake hears what it says about a crisis."""
    lines = ["external_id,age,crisis\n", "r1,forty,yes\n", "r2,41,\n"]
    intake, tally = Intake(), Tally()
    async with intake.client() as client:
        await Sending(client, None, tally).send_all(batches(rows(lines, "csv"), tally))
    assert intake.requests == [[1, 2]]
    assert tally.errors == {1: ("age:int_type",)}


async def test_what_only_intake_finds_wrong_is_in_the_report() -> None:
    assert (await send(Intake(), csv("r1", "wrong"))).errors == {2: ("person_differs",)}


async def test_a_line_that_cannot_be_read_is_sent_as_it_stands_between_the_others() -> None:
    tally = Tally()
    lines = ['{"external_id": "r1", "person": {}}\n', "{no\n", '{"external_id": "r3", "person": {}}\n']
    (batch,) = batches(rows(lines, "ndjson"), tally)
    assert batch.numbers == [1, 2, 3]
    assert batch.rows[1] == {"unreadable_line": "{no", "row": 2}
    assert tally.errors == {2: ("not_json",)}


async def test_rows_about_the_same_referral_keep_their_order() -> None:
    """The last one counts, as in the file, also when requests overtake one another."""
    flying, most = 0, 0

    class Watched(Sending):
        async def _send(self, batch: Batch) -> None:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await super()._send(batch)
            flying -= 1

    tally = Tally()
    same = [Batch(({"external_id": "a", "row": n},), frozenset({("referral", "a")})) for n in range(1, 6)]
    other = [Batch(({"external_id": f"b{n}", "row": n},), frozenset({("referral", n)})) for n in range(6, 12)]
    intake = Intake()
    async with intake.client() as client:
        await Watched(client, None, tally).send_all(same)
        assert most == 1
        await Watched(client, None, tally).send_all(other)
    assert most == IN_FLIGHT
    assert intake.requests[:5] == [[1], [2], [3], [4], [5]]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**63, -(2**63) - 1, "a\x00b", "\ud800", {"a\x00": 1}, [[["\x00"]]]],
)
def test_what_strict_json_refuses_is_replaced_so_that_its_neighbours_pass(value: Any) -> None:
    sent = json.dumps({"rows": [{"external_id": "r1"}, sendable({"note": value})]})
    strict_json.load(sent.encode())


def test_endless_nesting_is_cut() -> None:
    deep: Any = "end"
    for _ in range(200):
        deep = {"a": deep}
    strict_json.load(json.dumps(sendable({"note": deep})).encode())


def test_what_replaces_a_value_is_refused_wherever_it_stands() -> None:
    """Otherwise a row would come in with something left out."""
    for field in (
        "age",
        "consent",
        "history",
        "screening",
        "person",
        "clinician_id",
        "external_id",
        "source_system",
    ):
        line = json.dumps({"external_id": "r1", "person": {}, field: NEVER_VALID})
        ((_, row),) = rows([line], "ndjson")
        assert getattr(row, "codes", ()), field


def test_values_that_can_be_kept_stay_as_they_are() -> None:
    row = {"a": [1, 2.5, True, None, "é", {"b": 2**62}]}
    assert sendable(row) == row
