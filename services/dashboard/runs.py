"""The one rebuild there is at a time, whichever replica does it: a leased document says how far it is."""

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
"""The stage that is finished by others when whoever began it is gone."""

OVER = datetime(1970, 1, 1, tzinfo=UTC)
LEFT: Document = {"$expr": {"$lt": ["$until", "$$NOW"]}}


class Failed(Exception):
    """The old read model stays in place; the message is for the engineer who asked."""


class Progress(BaseModel):
    """`stage` is `idle` before the first; `equal`: whether both checksums were the same."""

    run: str = ""
    owner: str = ""
    """The replica that does it."""
    stage: str = "idle"
    read: int = 0
    total: int = 0
    checksum_before: str | None = None
    checksum_after: str | None = None
    equal: bool | None = None
    newer: int = 0
    """People of whom more was read by then than the old read model showed: they are not compared."""
    people: int = 0
    seconds: float = 0.0
    problem: str | None = None

    @property
    def prefix(self) -> str:
        """Begins the names of this run's collections."""
        return f"rebuilt_{self.run}_"


class Runs:
    """`owner`: this replica. Time is the database server's."""

    def __init__(self, database: MongoDatabase, owner: str) -> None:
        self._database, self._owner = database, owner

    async def begin(self) -> Progress | None:
        """A run of our own; `None` while another one is under way."""
        progress = Progress(run=uuid4().hex[:12], owner=self._owner, stage="reading")
        with suppress(DuplicateKeyError):  # it is there, as it is but the first time
            await self._database[RUNS].insert_one({"_id": ONE, **Progress().model_dump(), "until": OVER})
        free = {"_id": ONE, "stage": {"$ne": REPLACING}, **LEFT}
        taken = await self._database[RUNS].update_one(free, _leased(progress))
        return progress if taken.matched_count else None

    async def take_over(self, *, ours: bool) -> Progress | None:
        """A run that was left while it replaced, ours from now on.

        `ours`: also one of this replica's name, of a process that is gone.
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
        """The latest run, also of another replica.

        One whose replica went away has failed, unless it was replacing: others finish that.
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
        """Say how far it is and go on having it; `False` when somebody else began another one."""
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
    """Call `beat` every `BEAT_SECONDS` until the block ends, and not once after that.

    A beat under way at the end is waited for, not cancelled: the driver would go on with it.
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
