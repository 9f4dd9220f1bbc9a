"""Lifts documents of an older shape to the present one while the service keeps serving.

A migration is a pure function from the fields of an old document to those of the present one. The same
function is called in two places: here, in the background, batch by batch; and by the model itself, for
documents that a handler loads first:

    class Person(BaseModel):
        _lift = model_validator(mode="before")(lift_person)

Removing a field takes two releases: the first writes both shapes' fields and migrates, the second stops
reading the old ones. Adding a field takes one, but an earlier release whose models forbid unknown fields
cannot read such a document: docs/operations.md, Upgrades and the way back.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.http.caller import Call, call_for
from shared.messaging.lease import Lease
from shared.metrics import MIGRATED, MIGRATION_STUCK
from shared.mongo import Document, MongoDatabase, PyMongoError, ReplaceOne

log = structlog.get_logger()

COLLECTION = "migrations"
ROLE = "migrations"
LEASE_MS = 10_000
BATCH = 200
PAUSE_SECONDS = 0.05
"""Pause between batches, so that requests and messages come first."""

AGAIN_SECONDS, AT_MOST_SECONDS = 30.0, 3600.0
"""Replicas of the previous release may still write the old shape: look for it again, with back-off."""

BESIDE = ("_id", "version", "announced", "trail")
"""Stored beside a document's fields (`shared.messaging.work.Documents`); hidden from `lift`."""

KNOWN_STUCK = 1000


@dataclass(frozen=True)
class Migration:
    """`old` matches documents of the old shape, and none that `lift` has lifted.

    `id` must never be reused for another migration; `lift` has no side effects.
    """

    id: str
    collection: str
    old: Document
    lift: Callable[[Document], Document]


class Progress(BaseModel):
    """`left` is counted now. `stuck`: documents that could not be lifted; they stay unchanged."""

    id: str
    collection: str
    left: int
    lifted: int = 0
    stuck: list[str] = []
    looked_at: datetime | None = None


@dataclass
class _Round:
    """One pass over all documents of the old shape."""

    lifted: int = 0
    stuck: list[Any] = field(default_factory=list)
    written: dict[Any, int] = field(default_factory=dict)
    """Id → the version written by lifting: if that still has the old shape, lifting has no effect on it."""


class Migrations:
    """One service's migrations, run by one replica at a time."""

    def __init__(
        self, database: MongoDatabase, migrations: Sequence[Migration], *, service: str, instance: str
    ) -> None:
        self._database, self._migrations, self._service = database, migrations, service
        self._lease = Lease(database, ROLE, holder=instance, ttl_ms=LEASE_MS)

    async def run(self, stopping: asyncio.Event) -> None:
        """Migrate in declared order until `stopping` is set; log database errors and continue."""
        pause = AGAIN_SECONDS
        while not stopping.is_set():
            try:
                lifted = await self.once()
                pause = AGAIN_SECONDS if lifted else min(pause * 2, AT_MOST_SECONDS)
            except PyMongoError as error:
                log.warning("migration waits", error=type(error).__name__)
            try:
                await asyncio.wait_for(stopping.wait(), pause)
            except TimeoutError:
                continue
        with suppress(PyMongoError):
            await self._lease.give_up()

    async def once(self) -> int:
        """Lift all documents of an old shape; returns how many. Stops if another replica has the lease."""
        total = 0
        for migration in self._migrations:
            if not await self._lease.take():
                break
            total += await self._migrate(migration)
        return total

    async def _migrate(self, migration: Migration) -> int:
        found = _Round()
        while await self._lease.take() and (rows := await self._some(migration, found)):
            await self._lift(migration, rows, found)
            await asyncio.sleep(PAUSE_SECONDS)
        await self._note(migration, found)
        return found.lifted

    async def _some(self, migration: Migration, found: _Round) -> list[Document]:
        query: Document = {"$and": [migration.old, {"_id": {"$nin": found.stuck}}]}
        rows: list[Document] = (
            await self._database[migration.collection].find(query, limit=BATCH).to_list(None)
        )
        return rows if len(found.stuck) < KNOWN_STUCK else []

    async def _lift(self, migration: Migration, rows: list[Document], found: _Round) -> None:
        """Replace rows in the version that was read; rows saved meanwhile are found again."""
        writes = []
        for row in rows:
            id, version = row["_id"], row["version"]
            if found.written.get(id) == version or (lifted := _lifted(migration, row)) is None:
                found.stuck.append(id)
                continue
            found.written[id] = version + 1
            writes.append(ReplaceOne({"_id": id, "version": version}, lifted))
        if writes:
            done = await self._database[migration.collection].bulk_write(writes, ordered=False)
            found.lifted += done.modified_count
            MIGRATED.labels(self._service, migration.id).inc(done.modified_count)
            await self._count(migration, done.modified_count)

    async def _count(self, migration: Migration, lifted: int) -> None:
        await self._database[COLLECTION].update_one(
            {"_id": migration.id}, {"$inc": {"lifted": lifted}}, upsert=True
        )

    async def _note(self, migration: Migration, found: _Round) -> None:
        MIGRATION_STUCK.labels(self._service, migration.id).set(len(found.stuck))
        stuck = [str(id) for id in found.stuck]
        noted = {"stuck": stuck, "looked_at": datetime.now(UTC)}
        await self._database[COLLECTION].update_one({"_id": migration.id}, {"$set": noted}, upsert=True)
        if found.lifted or stuck:
            log.info("documents lifted", migration=migration.id, lifted=found.lifted, stuck=len(stuck))


def _lifted(migration: Migration, row: Document) -> Document | None:
    """Return the document to store, with its next version; `None` if it cannot be lifted."""
    try:
        fields = migration.lift({name: value for name, value in row.items() if name not in BESIDE})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log.error(
            "document cannot be lifted", migration=migration.id, id=row["_id"], error=type(error).__name__
        )
        return None
    beside = {name: row[name] for name in BESIDE if name in row}
    return {**beside, **fields, "version": row["version"] + 1}


async def progress(database: MongoDatabase, migrations: Sequence[Migration]) -> list[Progress]:
    """Return how far each migration has come. Counts documents, so it may take a moment."""
    found = []
    for migration in migrations:
        noted: Document = await database[COLLECTION].find_one({"_id": migration.id}) or {}
        left = await database[migration.collection].count_documents(migration.old)
        known = {name: noted[name] for name in ("lifted", "stuck", "looked_at") if name in noted}
        found.append(Progress(id=migration.id, collection=migration.collection, left=left, **known))
    return found


class Standing(BaseModel):
    service: str
    migrations: list[Progress]


Engineer = Annotated[Call, Depends(call_for("engineer", "service"))]


def router(service: str, database: MongoDatabase, migrations: Sequence[Migration]) -> APIRouter:
    api = APIRouter(tags=["operations"])

    @api.get("/migrations")
    async def show_migrations(call: Engineer) -> Standing:
        """How many stored documents are still of an older shape, and which cannot be lifted."""
        return Standing(service=service, migrations=await progress(database, migrations))

    return api
