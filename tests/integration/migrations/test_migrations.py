"""Documents of an older shape are lifted while handlers write, killed replicas and all."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from deploy.embedded.plan import ROOT
from deploy.embedded.servers import Mongod
from shared.messaging.lease import Lease
from shared.messaging.work import Conflict, Work
from shared.migrations import ROLE, Migration, Migrations, progress
from shared.mongo import Document, MongoDatabase
from tests.integration.migrations.letters import COLLECTION, SPLIT, Letter, lift, old
from tests.support.eventually import eventually
from tests.support.servers import running_mongod

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
MANY = 1500
STAMPS = 60


@pytest.fixture(scope="module")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    async with running_mongod(tmp_path_factory.mktemp("migrations")) as running:
        yield running


@pytest.fixture
async def database(mongod: Mongod) -> AsyncIterator[MongoDatabase]:
    found = MongoDatabase(mongod.uri, "letters")
    await found.ensure_collections([COLLECTION, "outbox", "leases", "migrations"])
    yield found
    await found.client.drop_database("letters")
    await found.close()


def by(database: MongoDatabase, instance: str, migration: Migration = SPLIT) -> Migrations:
    return Migrations(database, [migration], service="letters", instance=instance)


async def stored(database: MongoDatabase) -> list[Document]:
    rows: list[Document] = await database[COLLECTION].find().sort("_id", 1).to_list(None)
    return rows


async def stamp(database: MongoDatabase, id: str) -> None:
    """A handler: loads in whatever shape, decides, saves; again when somebody was faster."""
    while True:
        work = Work(database, service="letters", now=NOW)
        letters = work.documents(COLLECTION, Letter)
        await letters.load([id])
        letters.save(letters[id].model_copy(update={"stamps": letters[id].stamps + 1}))
        try:
            return await work.commit()
        except Conflict:
            continue


async def killed_midway(mongod: Mongod, database: MongoDatabase) -> int:
    """Let a replica lift some, then kill it as a power cut would; how many are left."""
    command = (sys.executable, "-m", "tests.integration.migrations.letters", mongod.uri, "letters")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)

    async def some() -> bool:
        return await database[COLLECTION].count_documents(SPLIT.old) < MANY

    try:
        await eventually(some, within=60)
    finally:
        process.kill()
        await process.wait()
    return int(await database[COLLECTION].count_documents(SPLIT.old))


async def test_everything_is_lifted_once_while_handlers_write_and_a_replica_is_killed(
    mongod: Mongod, database: MongoDatabase
) -> None:
    await database[COLLECTION].insert_many([old(number) for number in range(MANY)])
    written = [f"letter-{MANY - 1 - number % STAMPS:04}" for number in range(3 * STAMPS)]

    async def serve() -> None:
        for id in written:
            await stamp(database, id)

    serving = asyncio.create_task(serve())
    left = await killed_midway(mongod, database)
    assert 0 < left < MANY

    async def lifted_by_successors() -> bool:
        await asyncio.gather(*(by(database, name).once() for name in ("second", "third")))
        return not await database[COLLECTION].count_documents(SPLIT.old)

    await eventually(lifted_by_successors, within=60, pause=0.2, that="the killed replica's lease runs out")
    await serving
    rows = await stored(database)
    assert [row["number"] for row in rows] == list(range(MANY))
    assert {row["lifted"] for row in rows} == {1}
    assert not any("code" in row for row in rows)
    assert [row["stamps"] for row in rows[-STAMPS:]] == [3] * STAMPS


async def test_a_handler_that_meets_an_old_document_first_works_with_the_present_shape(
    database: MongoDatabase,
) -> None:
    await database[COLLECTION].insert_one(old(7))
    await stamp(database, "letter-0007")
    assert await by(database, "first").once() == 0
    (row,) = await stored(database)
    assert (row["number"], row["stamps"], row["version"]) == (7, 1, 2)


async def test_one_replica_at_a_time_migrates(database: MongoDatabase) -> None:
    await database[COLLECTION].insert_one(old(7))
    assert await Lease(database, ROLE, holder="another", ttl_ms=50_000).take()
    assert await by(database, "first").once() == 0
    assert [p.left for p in await progress(database, [SPLIT])] == [1]


async def test_a_document_that_cannot_be_lifted_is_named_and_stops_no_other(database: MongoDatabase) -> None:
    await database[COLLECTION].insert_many([old(1), old(2) | {"code": "nothing to split"}, old(3)])
    assert await by(database, "first").once() == 2
    (told,) = await progress(database, [SPLIT])
    assert (told.left, told.lifted, told.stuck) == (1, 2, ["letter-0002"])
    assert (await stored(database))[1]["code"] == "nothing to split"


async def test_a_lift_that_does_not_lift_ends_all_the_same(database: MongoDatabase) -> None:
    await database[COLLECTION].insert_many([old(1), old(2)])
    never = Migration("never", COLLECTION, SPLIT.old, lambda fields: fields)
    await by(database, "first", never).once()
    (told,) = await progress(database, [never])
    assert (told.left, told.stuck) == (2, ["letter-0001", "letter-0002"])


def test_lifting_twice_is_lifting_once() -> None:
    once = lift({"code": "A-7", "stamps": 0})
    assert lift(once) == once
