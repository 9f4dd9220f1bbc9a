"""Records out of aiokafka, and what to do where a partition cannot be read."""

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
"""For one partition by itself: whatever else there is waits as long."""


class Reading:
    """Polls one consumer, so that a partition that cannot be read holds up no other and loses nothing.

    A batch with a wrong checksum, or a header's name that is no UTF-8, makes aiokafka raise. By then it has
    moved on in the partitions it had read before, and thrown away what it had read. So we go back to what
    was processed, look for the culprit one by one, and pause it: it stands, is said, and is tried again.
    """

    def __init__(self, service: str, processed: Callable[[], Mapping[Place, int]]) -> None:
        self._service, self._processed = service, processed
        self._suspects: list[Any] = []
        self._astray = False
        self._paused: dict[Any, float] = {}
        self._standing: set[Any] = set()

    @property
    def standing(self) -> int:
        """Partitions that could not be read, and have not been since, though they may be tried again."""
        return len(self._standing)

    def begin(self) -> None:
        """Another consumer, at the beginning of what it reads."""
        self._suspects, self._astray, self._paused = [], False, {}
        self._standing.clear()

    async def poll(self, kafka: Any, timeout_ms: int) -> Mapping[Any, list[Any]]:
        """Records by partition. Raises what aiokafka raises about the whole consumer."""
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
        """False once something was read from it or its end is reached; an empty poll alone proves nothing."""
        if place in found or place not in kafka.assignment():
            return False
        return place in self._paused or not await self._is_at_end(kafka, place)

    async def _is_at_end(self, kafka: Any, place: Any) -> bool:
        end = kafka.highwater(place)
        try:
            async with asyncio.timeout(SUSPECT_MS / 1000):  # it waits for a position, where there is none yet
                return end is not None and await kafka.position(place) >= end
        except TimeoutError:
            return False
        except IllegalStateError:  # another member's by now
            return True

    async def _go_back(self, kafka: Any) -> None:
        """To what was processed; where nothing was, to what was committed; else to the beginning."""
        for partition in kafka.assignment():
            offset = self._processed().get((partition.topic, partition.partition))
            if offset is None:
                offset = await kafka.committed(partition)
            with suppress(IllegalStateError):  # another member's by now
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
        """Those that have stood for a while, each by itself: one may have been mended."""
        for partition, since in list(self._paused.items()):
            if monotonic() - since > TRY_AGAIN_SECONDS:
                del self._paused[partition]
                with suppress(IllegalStateError):
                    kafka.resume(partition)
                    self._suspects.append(partition)
