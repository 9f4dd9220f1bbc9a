"""Rebuilds the read model from the log while the old one keeps serving, then replaces it.

A second set of collections is filled from the beginning of the log. Once it has caught up with the first set,
writing pauses for a moment (`gates`): the rest is read, so that the new set is nowhere behind, and the new
set replaces the old one. Checksums are compared person by person where both sets have read equally far.
People for whom the new set had read further are not compared; the replicas get those messages as duplicates.

Once replacing has begun it must be finished, by another process if need be, before anybody writes again: in
a mixture of two read models, facts that the new half already holds would be counted twice.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

import structlog

from services.dashboard import gates, store, tally
from services.dashboard.runs import REPLACING, Failed, Progress, Runs, beating
from services.dashboard.settings import DashboardSettings
from services.dashboard.store import READ_MODEL, ReadWork
from services.dashboard.subscribers import PEOPLE
from services.dashboard.tally import Places, Tally
from shared.clock import Clock
from shared.messaging import consumption, dead_letters, outbox
from shared.messaging.batch import HELD, Group
from shared.messaging.consumption import Consumption
from shared.messaging.inbox import COLLECTION as INBOX
from shared.messaging.log import Log, reading
from shared.mongo import Document, MongoDatabase, PyMongoError

log = structlog.get_logger()

REPLACED = [*READ_MODEL, INBOX, HELD]
LEFTOVERS = "rebuilt_"
BATCH = 500
PASSES = 20
"""Maximum passes to the end of the log before the gates are closed, in case traffic does not let up."""

LOOK_SECONDS = 2.0
"""Interval at which a replica looks for an abandoned replacement."""


@dataclass
class Rebuild:
    """One rebuild at a time across all replicas. `open_second` opens the second set's database."""

    settings: DashboardSettings
    database: MongoDatabase
    clock: Clock
    open_second: Callable[[str], MongoDatabase]
    runs: Runs
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def start(self) -> tuple[Progress, bool]:
        """Start a run unless one is under way; returns the current run and whether this call started it."""
        progress = await self.runs.begin()
        if progress is None:
            return await self.runs.show(), False
        task = asyncio.create_task(self._run(progress), name="rebuild")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return progress, True

    async def _run(self, progress: Progress) -> None:
        begun, second = monotonic(), self.open_second(progress.prefix)
        try:
            await _Run(self, progress, second).whole()
        except Exception as error:
            problem = str(error) if isinstance(error, Failed) else type(error).__name__
            log.warning("rebuild failed, the old read model stays", stage=progress.stage, problem=problem)
            progress.stage, progress.problem = "failed", problem
        finally:
            progress.seconds = monotonic() - begun
            await self._end(progress)
            await second.close()

    async def _end(self, progress: Progress) -> None:
        """Put the new set in place if the run got that far, and end the run.

        Other replicas may take over an unfinished replacement.
        """
        try:
            if progress.stage == REPLACING:
                await self._put_in_place(progress)
        except PyMongoError as error:
            log.warning("broken off while replacing, and gone on with soon", problem=type(error).__name__)
        finally:
            await self.runs.end(progress)

    async def _put_in_place(self, progress: Progress) -> None:
        """Replace the old set. Fails, with nothing replaced, if the gates cannot be bolted: somebody may
        have written."""
        if await gates.bolt(self.database, progress.run):
            await self.database.replace_collections(REPLACED, progress.prefix)
            ended, problem = "done", None
        else:
            ended, problem = "failed", "somebody may have written meanwhile: rebuild again"
        await self.database.drop_collections(progress.prefix)
        await gates.open_again(self.database, progress.run)  # last: a process that repeats this bolts them
        progress.stage, progress.problem = ended, problem
        log.info(
            "rebuild is over", stage=ended, problem=problem, people=progress.people, equal=progress.equal
        )

    async def finish_what_was_left(self, stopping: asyncio.Event) -> None:
        """Finish replacements that other processes abandoned. Runs until `stopping`."""
        predecessor = True  # an earlier process of the same name is gone
        while not stopping.is_set():
            try:
                left = await self.runs.take_over(ours=predecessor and not self._tasks)
                predecessor = False
                if left is not None:
                    await self._end(left)
            except PyMongoError as error:
                log.warning("cannot see what a rebuild left", problem=type(error).__name__)
            await _sleep(stopping, LOOK_SECONDS)


class _Run:
    """One rebuild. It reports to the engineer through its progress only."""

    def __init__(self, rebuild: Rebuild, progress: Progress, second: MongoDatabase) -> None:
        self._settings, self._runs = rebuild.settings, rebuild.runs
        self._first, self._second, self._progress = rebuild.database, second, progress
        self._old, self._new = Tally(rebuild.database), Tally(second)
        self._taking = Consumption(
            Group(
                service="dashboard",
                name="dashboard.people",
                database=second,
                reactions=PEOPLE,
                open_work=lambda: ReadWork(second, now=rebuild.clock.now()),
            )
        )
        self._closed = self._lost = False

    async def whole(self) -> None:
        """Run every stage up to `REPLACING`; the gates are closed at the end."""
        await self._first.drop_collections(LEFTOVERS)
        try:
            async with beating(self._beat):
                await _prepare(self._second)
                async with reading(self._settings, PEOPLE.topics) as source:
                    await self._fill(source)
                    await self._meet(source)
        except BaseException:
            await gates.open_again(self._first, self._progress.run)
            await self._first.drop_collections(self._progress.prefix)
            raise

    async def _beat(self) -> None:
        kept = await self._runs.keep(self._progress)
        if self._closed:
            kept = await gates.keep_closed(self._first, self._progress.run) and kept
        self._lost |= not kept

    async def _say(self, stage: str) -> None:
        """Enter a stage. Raises `Failed` if this run has been lost to another one."""
        self._progress.stage = stage
        if self._lost or not await self._runs.keep(self._progress):
            raise Failed("another rebuild was begun, or this one stood still for too long: rebuild again")

    async def _fill(self, source: Log) -> None:
        """Read nearly everything while others still write, so that the rest takes only a moment."""
        await self._catch_up(source)
        self._refuse_letters(await letters_lacking(self._first, self._second))
        await self._say("comparing")
        await self._new.count()
        await self._old.count()
        await self._say("reading")
        await self._catch_up(source)

    async def _catch_up(self, source: Log) -> None:
        for _ in range(PASSES):
            if await self._read(source) <= BATCH:
                return

    async def _read(self, source: Log) -> int:
        """Read to the current end of the log; returns the number of messages read."""
        ends, count = await source.ends(), 0
        while not await source.has_reached(ends):
            records = await source.some()
            for start in range(0, len(records), BATCH):
                await self._taking.take(records[start : start + BATCH], epoch=source.epoch)
            count += len(records)
            self._progress.read, total = await source.progress()
            self._progress.total = max(total, self._progress.read)
            if self._lost:
                await self._say(self._progress.stage)
        await self._taking.sweep()
        return count

    async def _meet(self, source: Log) -> None:
        """Close the gates, read the rest and compare. Raises `Failed`; nothing is replaced here yet."""
        await self._say("meeting")
        await gates.close(self._first, self._progress.run)
        self._closed = True
        await self._read(source)
        ours, theirs = await tally.places(self._second), await tally.places(self._first)
        _refuse_behind(ours, theirs)
        self._refuse_letters(await letters_lacking(self._first, self._second))
        await self._compare(ours, theirs)
        await self._say(REPLACING)

    async def _compare(self, ours: Places, theirs: Places) -> None:
        await self._new.catch_up(ours)
        await self._old.catch_up(theirs)
        newer = await tally.concerned(self._second, theirs, ours)
        before, after = self._old.checksum(newer), self._new.checksum(newer)
        self._progress.checksum_before, self._progress.checksum_after = before, after
        self._progress.equal, self._progress.newer = before == after, len(newer)
        self._progress.people = int(await self._second[store.PEOPLE].count_documents({}))

    def _refuse_letters(self, lacking: Mapping[str, str]) -> None:
        """Raises `Failed` for dead letters that only the second set has.

        Replacing would drop them, and the changes they should make would be lost.
        """
        if lacking:
            reasons = ", ".join(f"{count} × {why}" for why, count in Counter(lacking.values()).most_common())
            raise Failed(
                f"{len(lacking)} messages could not be processed that are no dead letters yet: {reasons}"
            )


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


def _refuse_behind(ours: Places, theirs: Places) -> None:
    behind = [key for key, sequence in theirs.items() if ours.get(key, 0) < sequence]
    if behind:
        raise Failed(
            f"the log does not reach back to the beginning of {len(behind)} subjects: publish it "
            "again with `kith outbox replay`, then rebuild"
        )


async def letters_lacking(first: MongoDatabase, second: MongoDatabase) -> dict[str, str]:
    """Open dead letters of the second set that the first lacks: position to reason."""
    known = {_place(row) async for row in first[dead_letters.COLLECTION].find({"state": "open"})}
    found = {
        _place(row): row["reason"] async for row in second[dead_letters.COLLECTION].find({"state": "open"})
    }
    return {place: reason for place, reason in found.items() if place not in known}


def _place(letter: Document) -> str:
    """Identify a letter by subject and sequence, or by its offset if it could not be read."""
    about = letter["about"]
    if about:
        return f"{letter['topic']}|{about['subject']}|{about['sequence']}"
    return f"{letter['topic']}:{letter['partition']}:{letter['offset']}"


async def _prepare(second: MongoDatabase) -> None:
    names = [*store.COLLECTIONS, *consumption.COLLECTIONS, outbox.COLLECTION, dead_letters.COLLECTION]
    await second.ensure_collections(names)
    await second.ensure_indexes([*store.INDEXES, *consumption.INDEXES])
