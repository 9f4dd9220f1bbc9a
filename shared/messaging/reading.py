"""Polls records from aiokafka and isolates partitions that cannot be read."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from aiokafka.errors import ConsumerStoppedError, IllegalStateError

from shared.messaging.flow import Place
from shared.metrics import RETRIES

log = structlog.get_logger()

TRY_AGAIN_SECONDS = 10.0
SUSPECT_MS = 100
"""Timeout for polling a single partition; all others wait meanwhile."""


class Reading:
    """Polls one consumer. An unreadable partition delays no other, and no record is lost.

    aiokafka raises for a batch with a wrong checksum or a header name that is not UTF-8. By then it has
    advanced in the partitions read before and discarded their records. So seek back to what was processed,
    poll the partitions one by one to find the one at fault, pause it, log it and retry it later.
    """

    def __init__(self, service: str, processed: Callable[[], Mapping[Place, int]]) -> None:
        self._service, self._processed = service, processed
        self._suspects: list[Any] = []
        self._astray = False
        self._paused: dict[Any, float] = {}
        self._standing: set[Any] = set()

    @property
    def standing(self) -> int:
        """How many partitions failed and have not been read since, including those being retried."""
        return len(self._standing)

    def begin(self) -> None:
        """Reset for a new consumer."""
        self._suspects, self._astray, self._paused = [], False, {}
        self._standing.clear()

    async def poll(self, kafka: Any, timeout_ms: int) -> Mapping[Any, list[Any]]:
        """Return records by partition. Raises `ConsumerStoppedError`, and `KafkaError` from seeking back."""
        if self._astray:
            await self._go_back(kafka)
        self._resume(kafka)
        suspect = self._suspects.pop() if self._suspects else None
        try:
            found: Mapping[Any, list[Any]] = (
                await kafka.getmany(timeout_ms=timeout_ms)
                if suspect is None
                else await kafka.getmany(suspect, timeout_ms=SUSPECT_MS)
            )
        except ConsumerStoppedError:
            raise
        except Exception as error:
            self._astray = True
            RETRIES.labels(self._service, "reading", type(error).__name__).inc()
            if suspect is None:
                self._suspects = list(kafka.assignment())
                log.warning("records cannot be read", error=type(error).__name__)
            else:
                self._pause(kafka, suspect, error)
            return {}
        if self._standing:
            self._standing = {place for place in self._standing if await self._stands(kafka, place, found)}
        return found

    async def _stands(self, kafka: Any, place: Any, found: Mapping[Any, list[Any]]) -> bool:
        """Whether a partition is still blocked: nothing was read from it and its end is not reached.

        An empty poll alone proves nothing. A partition that is no longer assigned counts as not blocked.
        """
        if place in found or place not in kafka.assignment():
            return False
        return place in self._paused or not await self._is_at_end(kafka, place)

    async def _is_at_end(self, kafka: Any, place: Any) -> bool:
        end = kafka.highwater(place)
        try:
            async with asyncio.timeout(SUSPECT_MS / 1000):  # `position` waits if there is none yet
                return end is not None and await kafka.position(place) >= end
        except TimeoutError:
            return False
        except IllegalStateError:  # reassigned to another member
            return True

    async def _go_back(self, kafka: Any) -> None:
        """Seek each partition to its processed offset, else its committed offset, else the beginning."""
        for partition in kafka.assignment():
            offset = self._processed().get((partition.topic, partition.partition))
            if offset is None:
                offset = await kafka.committed(partition)
            with suppress(IllegalStateError):  # reassigned to another member
                if offset is None:
                    await kafka.seek_to_beginning(partition)
                else:
                    kafka.seek(partition, offset)
        self._astray = False

    def _pause(self, kafka: Any, partition: Any, error: Exception) -> None:
        with suppress(IllegalStateError):
            kafka.pause(partition)
        self._paused[partition] = monotonic()
        self._standing.add(partition)
        log.error("partition stands: a record in it cannot be read", topic=partition.topic,
                  partition=partition.partition, error=type(error).__name__)  # fmt: skip

    def _resume(self, kafka: Any) -> None:
        """Resume partitions paused for `TRY_AGAIN_SECONDS`, to be polled one by one."""
        for partition, since in list(self._paused.items()):
            if monotonic() - since > TRY_AGAIN_SECONDS:
                del self._paused[partition]
                with suppress(IllegalStateError):
                    kafka.resume(partition)
                    self._suspects.append(partition)
