"""The benchmark `scaling` changes the number of partitions of one topic, and puts it back."""

import pytest

from benchmarks.contenders.filling import INTAKE_TOPIC, plan_id
from benchmarks.lab import partitions_of
from benchmarks.scaling.partitions import declared
from benchmarks.scaling.run import announced_once
from benchmarks.topics import Seen, Shortfall
from shared.messaging.topics import topics


def shapes() -> dict[str, int]:
    return {name: partitions_of(name) for name in topics()}


@pytest.mark.parametrize("partitions", [1, 3, 12])
def test_one_topic_has_other_partitions_in_the_block_and_its_own_after_it(partitions: int) -> None:
    before = shapes()
    with declared(partitions):
        assert shapes() == before | {INTAKE_TOPIC: partitions}
    assert shapes() == before


def seen(*ids: int) -> list[Seen]:
    return [Seen(f"event {number}", "CarePlanStarted", plan_id(f"ref_{number}"), 0.0) for number in ids]


def test_an_announcement_published_again_under_its_id_is_one() -> None:
    announced_once(seen(1, 2, 2), {"ref_1", "ref_2"})


@pytest.mark.parametrize("ids", [(1,), (1, 2, 3)])
def test_a_missing_or_foreign_announcement_is_noticed(ids: tuple[int, ...]) -> None:
    with pytest.raises(Shortfall):
        announced_once(seen(*ids), {"ref_1", "ref_2"})


def test_two_announcements_of_one_plan_are_noticed() -> None:
    another = Seen("event 3", "CarePlanStarted", plan_id("ref_2"), 0.0)
    with pytest.raises(Shortfall):
        announced_once([*seen(1, 2), another], {"ref_1", "ref_2"})
