"""A question that takes long: a socket's limit holds, unless whoever asks said how long it may take."""

from collections.abc import AsyncIterator

import pytest

from deploy.embedded.mongod import Mongod
from shared.mongo import Driver, MongoDatabase, is_transient, patience
from tests.support.servers import running_mongod

SLOW = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 700}


@pytest.fixture(scope="module")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    options = ("--setParameter", "enableTestCommands=1")
    async with running_mongod(tmp_path_factory.mktemp("mongod"), *options) as mongod:
        yield mongod


@pytest.fixture(params=["motor", "pymongo"])
async def database(
    request: pytest.FixtureRequest, mongod: Mongod, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MongoDatabase]:
    """One whose sockets wait for 300 ms, on a server that takes 700 to count."""
    driver: Driver = request.param
    admin = MongoDatabase(mongod.uri, "patience")
    await admin["letters"].replace_one({"_id": "a"}, {}, upsert=True)
    await admin.client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=SLOW)
    monkeypatch.setattr("shared.mongo.database.SOCKET_MS", 300)
    database = MongoDatabase(mongod.uri, "patience", driver=driver, timeout_ms=300)
    yield database
    await database.close()
    await admin.client.admin.command("configureFailPoint", "failCommand", mode="off")
    await admin.close()


async def test_what_takes_longer_than_a_socket_waits_is_counted_by_whoever_has_patience(
    database: MongoDatabase,
) -> None:
    with pytest.raises(Exception, match="timed out") as late:
        await database["letters"].count_documents({})
    assert is_transient(late.value)
    with patience(10):
        assert await database["letters"].count_documents({}) == 1
        assert await database.aggregate("letters", [{"$match": {}}]) == [{"_id": "a"}]


async def test_patience_ends(database: MongoDatabase) -> None:
    with pytest.raises(Exception, match=r"timed out|time limit") as late, patience(0.4):
        await database["letters"].count_documents({})
    assert is_transient(late.value)
