"""Dropping the read model and building it anew from the log, while the old one serves.

A second set of collections is filled from the beginning of the log. When it has come as far as the first
set, nobody writes for a moment (`store.close_gates`): both are at the same place then, their checksums are
compared, and the new set takes the place of the old one.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import orjson
import structlog
from pydantic import BaseModel

from services.dashboard import store
from services.dashboard.settings import DashboardSettings
from services.dashboard.store import READ_MODEL, ReadWork
from services.dashboard.subscribers import PEOPLE
from shared.clock import Clock
from shared.messaging import consumption, dead_letters, outbox
from shared.messaging.batch import HELD, Group
from shared.messaging.consumption import Consumption
from shared.messaging.inbox import COLLECTION as INBOX
from shared.messaging.log import Log, reading
from shared.mongo import Document, MongoDatabase

log = structlog.get_logger()

PREFIX = "rebuilt_"
REPLACED = [*READ_MODEL, INBOX, HELD]
BATCH = 500
MEETING_SECONDS = 60.0
"""How long the two sets may take to come to the same place, with traffic going on."""

NOT_COMPARED = {"version", "announced", "trail"}
"""How often a document was written depends on the batches it came in."""


class Failed(Exception):
    """The old read model stays in place; the message is for the engineer who asked."""


class Progress(BaseModel):
    """`stage` is `idle` before the first; `equal`: whether both checksums were the same."""

    stage: str = "idle"
    read: int = 0
    total: int = 0
    checksum_before: str | None = None
    checksum_after: str | None = None
    equal: bool | None = None
    people: int = 0
    seconds: float = 0.0
    problem: str | None = None


@dataclass
class Rebuild:
    """One at a time in this process. `open_settings` builds the second set's database."""

    settings: DashboardSettings
    database: MongoDatabase
    clock: Clock
    open_second: Callable[[str], MongoDatabase]
    progress: Progress
    _task: "asyncio.Task[None] | None" = None

    def start(self) -> bool:
        """`False` if one is under way."""
        if self._task is not None and not self._task.done():
            return False
        self.progress = Progress(stage="reading")
        self._task = asyncio.create_task(self._run(), name="rebuild")
        return True

    async def _run(self) -> None:
        begun, second = monotonic(), self.open_second(PREFIX)
        try:
            await self._fill(second)
        except Exception as error:
            problem = str(error) if isinstance(error, Failed) else type(error).__name__
            log.warning("rebuild failed, the old read model stays", problem=problem)
            self.progress.stage, self.progress.problem = "failed", problem
        else:
            self.progress.stage = "done"
        finally:
            self.progress.seconds = monotonic() - begun
            await second.close()

    async def _fill(self, second: MongoDatabase) -> None:
        await self.database.drop_collections(PREFIX)
        await _prepare(second)
        taking = Consumption(self._group(second))
        async with reading(self.settings, PEOPLE.topics) as source:
            await self._read(source, taking)
            try:
                await self._meet(source, taking, second)
                await self._put_in_place(second)
            finally:
                await store.open_gates(self.database)
        await self.database.drop_collections(PREFIX)

    def _group(self, second: MongoDatabase) -> "Group[ReadWork]":
        return Group(
            service="dashboard",
            name="dashboard.people",
            database=second,
            reactions=PEOPLE,
            open_work=lambda: ReadWork(second, now=self.clock.now()),
        )

    async def _read(self, source: Log, taking: "Consumption[ReadWork]") -> None:
        """Until nothing is left; what comes meanwhile is read as well."""
        while True:
            records = await source.some(BATCH)
            if records:
                await taking.take(records, epoch=source.epoch)
            self.progress.read, total = await source.progress()
            self.progress.total = max(total, self.progress.read)  # some brokers count batches, not messages
            if not records and self.progress.read >= self.progress.total:
                await taking.sweep()
                return

    async def _meet(self, source: Log, taking: "Consumption[ReadWork]", second: MongoDatabase) -> None:
        """Return with the gates closed and both sets at the same place. Raises `Failed`."""
        self.progress.stage = "meeting"
        until = monotonic() + MEETING_SECONDS
        while monotonic() < until:
            await store.close_gates(self.database)
            await self._read(source, taking)
            ours, theirs = await _places(second), await _places(self.database)
            if ours == theirs:
                return
            await store.open_gates(self.database)
            behind = [key for key, sequence in theirs.items() if ours.get(key, 0) < sequence]
            if behind:
                raise Failed(
                    f"the log does not reach back to the beginning of {len(behind)} subjects: publish it "
                    "again with `kith outbox replay`, then rebuild"
                )
            await asyncio.sleep(0.5)
        raise Failed("traffic did not let both sets come to the same place; try again in a quieter hour")

    async def _put_in_place(self, second: MongoDatabase) -> None:
        self.progress.stage = "comparing"
        before, after = await checksum(self.database), await checksum(second)
        self.progress.checksum_before, self.progress.checksum_after = before, after
        self.progress.equal = before == after
        self.progress.people = int(await second[store.PEOPLE].count_documents({}))
        self.progress.stage = "replacing"
        await self.database.replace_collections(REPLACED, PREFIX)
        log.info("read model rebuilt", people=self.progress.people, equal=self.progress.equal)


async def _prepare(second: MongoDatabase) -> None:
    names = [*store.COLLECTIONS, *consumption.COLLECTIONS, outbox.COLLECTION, dead_letters.COLLECTION]
    await second.ensure_collections(names)
    await second.ensure_indexes([*store.INDEXES, *consumption.INDEXES])


async def _places(database: MongoDatabase) -> dict[str, int]:
    """How far each subject's messages were read."""
    rows = database[INBOX].find({}, {"sequence": 1})
    return {row["_id"]: row["sequence"] async for row in rows}


async def checksum(database: MongoDatabase) -> str:
    """Of everything the read model shows, in the order of ids; the same content, the same checksum."""
    sum_of_all = hashlib.sha256()
    for name in READ_MODEL:
        async for row in database[name].find({}, sort=[("_id", 1)]):
            sum_of_all.update(_plain(row))
    return sum_of_all.hexdigest()


def _plain(row: Document) -> bytes:
    known = {name: value for name, value in row.items() if name not in NOT_COMPARED}
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME, default=str)
