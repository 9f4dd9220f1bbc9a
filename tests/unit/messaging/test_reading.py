"""Partitions that cannot be read, as they are counted; how others go on is shown on a real broker."""

from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.messaging import reading
from shared.messaging.reading import Reading

ONE, TWO = TopicPartition("intake.referrals", 0), TopicPartition("intake.referrals", 1)


class Kafka:
    """Two partitions of five records each, one of which raises while it is `torn`."""

    def __init__(self) -> None:
        self.torn: set[Any] = {ONE}
        self.slow = False
        self.mine = {ONE, TWO}
        self._at, self._paused = {ONE: 3, TWO: 3}, set[Any]()

    def assignment(self) -> frozenset[Any]:
        return frozenset(self.mine)

    def pause(self, partition: Any) -> None:
        self._paused.add(partition)

    def resume(self, partition: Any) -> None:
        self._paused.discard(partition)

    def seek(self, partition: Any, offset: int) -> None:
        self._at[partition] = offset

    async def position(self, partition: Any) -> int:
        return self._at[partition]

    def highwater(self, partition: Any) -> int:
        return 5

    async def getmany(self, *only: Any, timeout_ms: int) -> dict[Any, list[Any]]:
        """Nothing where the answer takes longer than somebody waits."""
        if self.slow:
            return {}
        asked = [p for p in only or self.mine if p in self.mine - self._paused and self._at[p] < 5]
        if self.torn & set(asked):
            raise UnicodeDecodeError("utf-8", b"", 0, 1, "no text")
        found = {partition: [f"record of {partition.partition}"] for partition in asked}
        self._at |= dict.fromkeys(found, 5)
        return found


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """What stands is tried again at once."""
    monkeypatch.setattr(reading, "TRY_AGAIN_SECONDS", -1.0)
    return Kafka()


@pytest.fixture
def read() -> Reading:
    return Reading("care_plan", lambda: {("intake.referrals", 0): 3, ("intake.referrals", 1): 3})


async def polls(read: Reading, kafka: Kafka, times: int) -> list[int]:
    """How many partitions stood after each."""
    counts = []
    for _ in range(times):
        await read.poll(kafka, 1)
        counts.append(read.standing)
    return counts


async def test_a_partition_that_is_tried_again_in_vain_stands_all_the_while(
    read: Reading, kafka: Kafka
) -> None:
    first = await polls(read, kafka, 3)
    assert first[0] == 0
    assert first[-1] == 1
    assert set(await polls(read, kafka, 8)) == {1}


async def test_a_poll_that_waits_too_short_says_nothing_about_a_partition(
    read: Reading, kafka: Kafka
) -> None:
    await polls(read, kafka, 3)
    kafka.slow = True
    assert set(await polls(read, kafka, 4)) == {1}


async def test_a_partition_that_was_read_stands_no_longer(read: Reading, kafka: Kafka) -> None:
    await polls(read, kafka, 3)
    kafka.torn = set()
    assert (await polls(read, kafka, 2))[-1] == 0


async def test_a_partition_with_nothing_left_to_read_stands_no_longer(read: Reading, kafka: Kafka) -> None:
    await polls(read, kafka, 3)
    kafka.torn = set()
    kafka.seek(ONE, 5)
    read._processed = lambda: {("intake.referrals", 0): 5, ("intake.referrals", 1): 5}
    assert (await polls(read, kafka, 2))[-1] == 0


async def test_a_partition_that_another_replica_reads_by_now_does_not_stand_here(
    read: Reading, kafka: Kafka
) -> None:
    await polls(read, kafka, 3)
    kafka.mine.discard(ONE)
    assert (await polls(read, kafka, 2))[-1] == 0


async def test_another_consumer_begins_with_nothing_that_stands(read: Reading, kafka: Kafka) -> None:
    await polls(read, kafka, 3)
    read.begin()
    assert read.standing == 0
