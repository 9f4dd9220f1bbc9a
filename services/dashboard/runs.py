"""Progress of the single rebuild across all replicas, kept in one leased document."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from pydantic import BaseModel

from shared.mongo import Document, DuplicateKeyError, MongoDatabase, PyMongoError

log = structlog.get_logger()

RUNS, ONE = "rebuilds", "rebuild"
LEASE_MS = 30_000
BEAT_SECONDS = 1.0
ENDED = ("idle", "done", "failed")
REPLACING = "replacing"
"""The stage that another replica finishes if the run's owner is gone."""

OVER = datetime(1970, 1, 1, tzinfo=UTC)
LEFT: Document = {"$expr": {"$lt": ["$until", "$$NOW"]}}


class Failed(Exception):
    """The old read model stays in place; the message is for the engineer who asked."""


class Progress(BaseModel):
    """`stage` is `idle` before the first run; `equal`: whether both checksums matched."""

    run: str = ""
    owner: str = ""
    """The replica that runs it."""
    stage: str = "idle"
    read: int = 0
    total: int = 0
    checksum_before: str | None = None
    checksum_after: str | None = None
    equal: bool | None = None
    newer: int = 0
    """Number of people for whom the new read model had read further than the old one: not compared."""
    people: int = 0
    seconds: float = 0.0
    problem: str | None = None

    @property
    def prefix(self) -> str:
        """Name prefix of this run's collections."""
        return f"rebuilt_{self.run}_"


class Runs:
    """`owner`: this replica. Times are the database server's."""

    def __init__(self, database: MongoDatabase, owner: str) -> None:
        self._database, self._owner = database, owner

    async def begin(self) -> Progress | None:
        """Start a run owned by this replica; `None` while another one is under way."""
        progress = Progress(run=uuid4().hex[:12], owner=self._owner, stage="reading")
        with suppress(DuplicateKeyError):  # exists already, except the first time
            await self._database[RUNS].insert_one({"_id": ONE, **Progress().model_dump(), "until": OVER})
        free = {"_id": ONE, "stage": {"$ne": REPLACING}, **LEFT}
        taken = await self._database[RUNS].update_one(free, _leased(progress))
        return progress if taken.matched_count else None

    async def take_over(self, *, ours: bool) -> Progress | None:
        """Take ownership of a run that was abandoned while replacing; `None` if there is none.

        `ours`: also take one that an earlier process of this replica's name left behind.
        """
        row = await self._database[RUNS].find_one({"_id": ONE, "stage": REPLACING})
        if row is None:
            return None
        progress = Progress.model_validate(row).model_copy(update={"owner": self._owner})
        left = {"$or": [LEFT, {"owner": self._owner}]} if ours else LEFT
        found = {"_id": ONE, "run": progress.run, "stage": REPLACING, **left}
        taken = await self._database[RUNS].update_one(found, _leased(progress))
        return progress if taken.matched_count else None

    async def show(self) -> Progress:
        """The latest run of any replica.

        A run whose replica went away counts as failed, unless it was replacing: others finish that.
        """
        alive = {"$set": {"alive": {"$gt": ["$until", "$$NOW"]}}}
        rows = await self._database.aggregate(RUNS, [{"$match": {"_id": ONE}}, alive])
        if not rows:
            return Progress()
        progress = Progress.model_validate(rows[0])
        if progress.stage not in (*ENDED, REPLACING) and not rows[0]["alive"]:
            problem = f"its replica went away while {progress.stage}: rebuild again"
            return progress.model_copy(update={"stage": "failed", "problem": problem})
        return progress

    async def keep(self, progress: Progress) -> bool:
        """Store the progress and renew the lease; `False` if another run has been started."""
        ours = {"_id": ONE, "run": progress.run}
        found = await self._database[RUNS].update_one(ours, _leased(progress))
        return bool(found.matched_count)

    async def end(self, progress: Progress) -> None:
        change = {"$set": {**progress.model_dump(), "until": OVER}}
        ours = {"_id": ONE, "run": progress.run, "owner": self._owner}
        await self._database[RUNS].update_one(ours, change)


def _leased(progress: Progress) -> list[Document]:
    said: Document = {name: {"$literal": value} for name, value in progress.model_dump().items()}
    return [{"$set": {**said, "until": {"$add": ["$$NOW", LEASE_MS]}}}]


@asynccontextmanager
async def beating(beat: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call `beat` every `BEAT_SECONDS` until the block ends, and never after that.

    A beat in progress at the end is awaited, not cancelled: the driver would carry on with it.
    """
    stop = asyncio.Event()

    async def run() -> None:
        while not stop.is_set():
            try:
                await beat()
            except PyMongoError as error:
                log.warning("rebuild could not be kept up", error=type(error).__name__)
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue

    task = asyncio.create_task(run(), name="rebuild beat")
    try:
        yield
    finally:
        stop.set()
        await task
