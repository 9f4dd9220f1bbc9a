"""The benchmark `scaling` changes the number of partitions of one topic, and puts it back."""

import pytest

from benchmarks.contenders.filling import INTAKE_TOPIC
from benchmarks.lab import partitions_of
from benchmarks.scaling.partitions import declared
from shared.messaging.topics import topics


def shapes() -> dict[str, int]:
    return {name: partitions_of(name) for name in topics()}


@pytest.mark.parametrize("partitions", [1, 3, 12])
def test_one_topic_has_other_partitions_in_the_block_and_its_own_after_it(partitions: int) -> None:
    before = shapes()
    with declared(partitions):
        assert shapes() == before | {INTAKE_TOPIC: partitions}
    assert shapes() == before
