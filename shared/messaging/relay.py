"""From the outbox to Kafka, by one replica at a time.

The outbox document is the source of truth: it is `pending` until the broker acknowledges its messages. A
commit in this process wakes the relay and hands over its rows (`handover.py`); a change stream reports the
commits of other replicas. Without other replicas no stream is open, since MongoDB examines every write for
it. The lease holder relays. A replica that was suspended may still believe that it holds the lease and
publish duplicates, which every consumer drops. How a lane is published: `lane_relay.py`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog

from shared.messaging import outbox
from shared.messaging.flow import Flow
from shared.messaging.lane_relay import LaneRelay
from shared.messaging.lease import Lease
from shared.messaging.publishing import Publisher
from shared.messaging.topics import Lane
from shared.mongo import MongoDatabase, ObjectId, PyMongoError

log = structlog.get_logger()

STUCK_SECONDS = 10.0
"""How long publishing may fail before the lease is handed over to a waiting replica."""

STEP_BACK_SECONDS = 3.0
"""Back-off before a replica that handed over the lease competes for it again."""


class Relay:
    """Publishes one service's outbox into one epoch of the cluster, with one task per lane."""

    def __init__(
        self,
        database: MongoDatabase,
        *,
        service: str,
        instance: str,
        epoch: str,
        publishers: dict[Lane, Publisher],
        flow: Flow,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._lease = Lease(database, "relay", holder=instance)
        self._lanes = {
            lane: LaneRelay(
                lane,
                database=database,
                service=service,
                epoch=epoch,
                publisher=publisher,
                flow=flow,
                now=now,
            )
            for lane, publisher in publishers.items()
        }
        self.leads = False
        self._has_company = asyncio.Event()
        """Set while we lead and another replica waits for the lease: we publish what it commits."""

    @property
    def has_published_all(self) -> bool:
        """True only if everything this process announced is known to be published."""
        return self.leads and all(lane.is_empty for lane in self._lanes.values())

    async def run(self) -> None:
        """Relay until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_lease())
            tasks.create_task(self._listen())
            for lane in self._lanes.values():
                tasks.create_task(lane.run(lambda: self.leads))

    async def _keep_lease(self) -> None:
        try:
            while True:
                led = self.leads
                try:
                    if self._is_stuck() and await self._lease.hand_over():
                        log.warning("relay handed over: publishing fails here", seconds=STUCK_SECONDS)
                        self.leads = False
                        self._note_company()
                        await asyncio.sleep(STEP_BACK_SECONDS)
                    self.leads = await self._lease.take()
                except PyMongoError as error:
                    self.leads = False
                    log.warning("relay lease unreachable", error=type(error).__name__)
                self._note_company()
                if self.leads != led:
                    self._wake_all()
                await asyncio.sleep(1.0)
        finally:
            with suppress(PyMongoError):
                await self._lease.give_up()

    def _is_stuck(self) -> bool:
        """Whether a lane could publish nothing for too long: another replica may still reach Kafka."""
        return any(lane.fails_for() > STUCK_SECONDS for lane in self._lanes.values())

    def _note_company(self) -> None:
        if self.leads and self._lease.is_wanted:
            self._has_company.set()
        else:
            self._has_company.clear()

    async def _listen(self) -> None:
        """Wake a lane when another replica inserts into its outbox."""
        while True:
            await self._has_company.wait()
            try:
                async with self._database.watch(outbox.COLLECTION, "insert", fields=["lane"]) as stream:
                    self._wake_all()
                    while stream.alive and self._has_company.is_set():
                        inserted = await stream.try_next()
                        if inserted is not None and made_by(inserted["documentKey"]["_id"]) != OURS:
                            self._wake(inserted["fullDocument"]["lane"])
            except PyMongoError as error:
                log.warning("change stream lost, the sweep goes on", error=type(error).__name__)
                await asyncio.sleep(1.0)

    def _wake(self, lane: str) -> None:
        """Wake one lane; ignore lanes of a newer release that this one does not know."""
        for relay in self._lanes.values():
            if relay.lane == lane:
                relay.woken.beat()

    def _wake_all(self) -> None:
        for relay in self._lanes.values():
            relay.woken.beat()


def made_by(id: ObjectId) -> bytes:
    """Return the five bytes of an ObjectId that identify the process that created it."""
    return id.binary[4:9]


OURS = made_by(ObjectId())
