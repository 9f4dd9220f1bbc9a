"""The demo's own rules: when it stops, who takes part, and when nothing is in flight."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.play import STOPS, next_stop
from deploy.demo.population import BANDS, people
from deploy.demo.settling import Time, unsettled

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_every_moment_has_a_stop_within_a_day_and_a_stop_is_its_own() -> None:
    for minutes in range(0, 48 * 60, 7):
        moment = NOON + timedelta(minutes=minutes)
        stop = next_stop(moment)
        assert timedelta(0) <= stop - moment < timedelta(days=1)
        assert (stop.hour, stop.minute) in STOPS
        assert next_stop(stop) == stop


def test_the_same_seed_makes_the_same_people_and_another_seed_others() -> None:
    clinics = ["riverside", "lakeside"]
    assert list(people(50, 7, clinics)) == list(people(50, 7, clinics))
    assert list(people(50, 7, clinics)) != list(people(50, 8, clinics))


def test_people_answer_within_some_band_or_leave_an_item_open() -> None:
    totals = [person.items for person in people(300, 7, ["riverside"])]
    complete = [sum(i for i in items if i is not None) for items in totals if None not in items]
    assert 280 <= len(complete) < 300
    assert all(any(low <= total <= high for low, high in BANDS.values()) for total in complete)


def flow(service: str, **changes: Any) -> dict[str, Any]:
    resting = {
        "service": service,
        "busy": False,
        "epoch": "e1",
        "outbox_pending": 0,
        "held": 0,
        "lag": 0,
        "due": None,
        "published": {},
        "consumed": {},
    }
    return resting | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"busy": True},
        {"outbox_pending": 1},
        {"held": 1},
        {"lag": 3},
        {"epoch": "e2"},
        {"due": NOON.isoformat()},
        {"published": {"intake.referrals/0": 1}},
    ],
)
def test_each_thing_in_flight_keeps_time_from_moving(changes: dict[str, Any]) -> None:
    others = [flow("care_plan"), flow("scheduler"), flow("alerts")]
    assert unsettled([flow("intake"), *others], NOON) == ""
    assert unsettled([flow("intake", **changes), *others], NOON) != ""


def test_what_every_reader_has_read_is_not_in_flight() -> None:
    read = {"intake.referrals/0": 5}
    flows = [
        flow("intake", published={"intake.referrals/0": 5}),
        flow("care_plan", consumed=read),
        flow("scheduler"),
        flow("alerts", consumed=read),
    ]
    assert unsettled(flows, NOON) == ""
    flows[3] = flow("alerts", consumed={"intake.referrals/0": 4})
    assert "alerts has not read" in unsettled(flows, NOON)


@dataclass
class Looked:
    """A stack at rest that counts who looks at it."""

    writes: int = 0
    looks: int = 0

    async def flows(self) -> list[dict[str, Any]]:
        self.looks += 1
        return [flow("intake")]


async def test_whoever_writes_past_the_desks_is_waited_for_too(tmp_path: Path) -> None:
    """A browser's press is no write of the desks."""
    stack = Looked()
    time = Time(tmp_path / "clock", stack, NOON)
    await time.settle()
    await time.settle()
    assert stack.looks == 2
    await time.settle_writes()
    assert stack.looks == 2, "they alone write, and wrote nothing"
    stack.writes += 1
    await time.settle_writes()
    assert stack.looks == 3
