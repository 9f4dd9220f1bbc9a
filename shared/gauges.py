"""Gauges read from the database and the consumers every few seconds, and kept for the scrapes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic, time
from typing import Protocol

import structlog

from shared.messaging import dead_letters, outbox
from shared.messaging.batch import HELD as HELD_MESSAGES
from shared.messaging.messaging import Messaging
from shared.messaging.topics import LANES
from shared.metrics import (
    BOOKS,
    BOOKS_COUNTED,
    DUE_OLDEST,
    HELD,
    LAG,
    LETTERS_OPEN,
    LOOP_LAG,
    OUTBOX_OLDEST,
    OUTBOX_PENDING,
    READY,
    REFRESHED,
    RETRIES,
    STANDING,
    name_build,
)
from shared.mongo import COUNTING_SECONDS, Document, patience
from shared.service import Service

log = structlog.get_logger()

REFRESH_SECONDS, PATIENCE_SECONDS = 5.0, 15.0
LOOP_SECONDS = 0.5
SAY_AGAIN_SECONDS = 60.0
ENOUGH = 10_000
"""Counts stop at this number."""

BOOKS_SHARE = 0.01
"""At most this share of the time is spent counting the books, however long that takes."""


class Watched(Protocol):
    """The part of a running process that the gauges read (`shared.process.Process`)."""

    @property
    def service(self) -> Service: ...
    @property
    def messaging(self) -> Messaging: ...
    async def readiness(self) -> dict[str, bool]: ...


class Gauges:
    """Refreshes the gauges of one process until cancelled.

    A failure is counted and logged; the gauges keep their last values, and their age grows.
    """

    def __init__(self, process: Watched) -> None:
        self._process, self._service = process, process.service
        self._name, self._database = process.service.name, process.service.database
        self._books_took = 0.0
        self._said: dict[str, float] = {}
        """When a failure of each kind of work was last logged."""

    async def run(self) -> None:
        """Refresh until cancelled. Gauges count as measured at the start, so that their age grows."""
        name_build(self._name)
        REFRESHED.labels(self._name).set(time())
        if self._service.settings.books_seconds:
            BOOKS_COUNTED.labels(self._name).set(time())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_fresh())
            tasks.create_task(self._watch_loop())
            if self._service.settings.books_seconds:
                tasks.create_task(self._keep_books())

    async def refresh(self) -> None:
        """Refresh all gauges. Raises the database's errors; gauges set before the error stay set."""
        now = self._service.clock.now()
        for check, passed in (await self._process.readiness()).items():
            READY.labels(self._name, check).set(passed)
        for consumer in self._process.messaging.consumers:
            LAG.labels(consumer.group).set(await consumer.behind())
            STANDING.labels(consumer.group).set(consumer.standing)
        await self._look_at_outbox(now)
        await self._look_at_due_work(now)
        await self._look_at_messages_set_aside()
        for own in self._service.gauges:
            await own(now)
        REFRESHED.labels(self._name).set(time())

    async def _keep_fresh(self) -> None:
        while True:
            await self._trying("gauges", self._refresh_in_time)
            await asyncio.sleep(REFRESH_SECONDS)

    async def _refresh_in_time(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.refresh()

    async def _trying(self, what: str, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except Exception as error:
            RETRIES.labels(self._name, what, type(error).__name__).inc()
            self._say(what, error)

    def _say(self, what: str, error: Exception) -> None:
        """Log a failure, but not each one: a server that is down for hours must not fill the log."""
        if monotonic() - self._said.get(what, -SAY_AGAIN_SECONDS) >= SAY_AGAIN_SECONDS:
            self._said[what] = monotonic()
            log.warning("not measured", what=what, error=type(error).__name__)

    async def _look_at_outbox(self, now: datetime) -> None:
        rows = self._database[outbox.COLLECTION]
        for lane in LANES:
            oldest = await rows.find_one(
                {"lane": lane, **outbox.PENDING}, {"at": 1, "again": 1}, sort=[("_id", 1)]
            )
            OUTBOX_OLDEST.labels(self._name, lane).set(_age(oldest and outbox.waits_since(oldest), now))
        OUTBOX_PENDING.labels(self._name).set(await self._count(outbox.COLLECTION, outbox.WAITING))

    async def _look_at_due_work(self, now: datetime) -> None:
        for ticker in self._service.tickers:
            DUE_OLDEST.labels(self._name, ticker.name).set(_age(await ticker.due(), now))

    async def _look_at_messages_set_aside(self) -> None:
        open_ones = await self._count(dead_letters.COLLECTION, {"state": "open"})
        of_crises = await self._count(dead_letters.COLLECTION, {"state": "open", "crisis": True})
        LETTERS_OPEN.labels(self._name, "true").set(of_crises)
        LETTERS_OPEN.labels(self._name, "false").set(open_ones - of_crises)
        HELD.labels(self._name).set(await self._count(HELD_MESSAGES, {}))

    async def _count(self, collection: str, query: Document) -> int:
        return int(await self._database[collection].count_documents(query, limit=ENOUGH))

    async def _watch_loop(self) -> None:
        lag = LOOP_LAG.labels(self._name)
        while True:
            before = monotonic()
            await asyncio.sleep(LOOP_SECONDS)
            lag.observe(max(0.0, monotonic() - before - LOOP_SECONDS))

    async def _keep_books(self) -> None:
        """Count at the same times in all services, so that few messages in flight distort the totals."""
        pause = self._service.settings.books_seconds
        while True:
            await asyncio.sleep(self._books_took / BOOKS_SHARE)
            await asyncio.sleep(pause - time() % pause)
            await self._trying("books", self.count_books)

    async def count_books(self) -> None:
        """Count the books if this replica relays; others publish none. Reads as much as `GET /books`."""
        began, counted = monotonic(), time()
        try:
            with patience(COUNTING_SECONDS):
                entries = await self._service.books() if self._process.messaging.leads else []
        finally:
            self._books_took = monotonic() - began
        BOOKS.clear()
        BOOKS_COUNTED.clear()
        for entry in entries:
            BOOKS.labels(self._name, entry.kind, entry.column).set(entry.count)
        if self._process.messaging.leads:
            BOOKS_COUNTED.labels(self._name).set(counted)  # the start, which all services share, not the end


def _age(since: datetime | None, now: datetime) -> float:
    """Return the age in seconds; 0 for `None`, and for an instant that is not reached yet."""
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
