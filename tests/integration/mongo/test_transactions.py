"""Transactions that MongoDB ends, or whose commit it does not answer: its own fail points, both drivers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from deploy.embedded.mongod import Mongod
from shared.mongo import Driver, MongoDatabase, OperationFailure, PyMongoError, Txn, is_transient
from tests.support.servers import running_mongod

FAIL = "failCommand"
TRIES_OF_THE_DRIVER = 2
"""A commit is tried once more by the driver itself."""


@pytest.fixture(scope="module")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    options = ("--setParameter", "enableTestCommands=1")
    async with running_mongod(tmp_path_factory.mktemp("mongod"), *options) as mongod:
        yield mongod


@pytest.fixture(params=["motor", "pymongo"])
async def database(request: pytest.FixtureRequest, mongod: Mongod) -> AsyncIterator[MongoDatabase]:
    driver: Driver = request.param
    database = MongoDatabase(mongod.uri, f"transactions_{driver}", driver=driver)
    await database.drop_collections("")
    await database.ensure_collections(["letters"])
    yield database
    await database.client.admin.command("configureFailPoint", FAIL, mode="off")
    await database.close()


async def fail(database: MongoDatabase, command: str, times: int, **how: Any) -> None:
    mode = {"times": times}
    data = {"failCommands": [command], **how}
    await database.client.admin.command("configureFailPoint", FAIL, mode=mode, data=data)


def writing(database: MongoDatabase) -> tuple[Callable[[Txn], Awaitable[None]], list[int]]:
    """Writes one letter; and how often it was asked to."""
    asked: list[int] = []

    async def write(txn: Txn) -> None:
        asked.append(len(asked) + 1)
        await database["letters"].insert_one({"_id": "a"}, session=txn)

    return write, asked


async def test_a_commit_whose_answer_is_lost_is_asked_for_again_and_done_once(
    database: MongoDatabase,
) -> None:
    write, asked = writing(database)
    await fail(database, "commitTransaction", TRIES_OF_THE_DRIVER + 1, closeConnection=True)
    await database.transaction(write)
    assert asked == [1]
    assert await database["letters"].count_documents({}) == 1


async def test_a_commit_that_was_done_and_answered_with_a_failing_write_concern_is_asked_for_again(
    database: MongoDatabase,
) -> None:
    write, asked = writing(database)
    concern = {"code": 64, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": True}}
    await fail(database, "commitTransaction", 1, writeConcernError=concern)
    await database.transaction(write)
    assert asked == [1]
    assert await database["letters"].count_documents({}) == 1


async def test_a_transaction_that_is_gone_when_it_is_to_be_committed_is_done_again(
    database: MongoDatabase,
) -> None:
    write, asked = writing(database)
    labels = ["TransientTransactionError"]
    await fail(database, "commitTransaction", 1, errorCode=251, errorLabels=labels)
    await database.transaction(write)
    assert asked == [1, 2]
    assert await database["letters"].count_documents({}) == 1


async def test_what_is_wrong_with_the_work_itself_is_told_at_once_and_leaves_nothing(
    database: MongoDatabase,
) -> None:
    write, asked = writing(database)

    async def write_and_fail(txn: Txn) -> None:
        await write(txn)
        raise LookupError

    with pytest.raises(LookupError):
        await database.transaction(write_and_fail)
    assert asked == [1]
    assert await database["letters"].count_documents({}) == 0


async def test_a_transaction_that_the_server_ends_in_the_middle_of_an_operation_may_succeed_later(
    database: MongoDatabase,
) -> None:
    """It took longer than `transactionLifetimeLimitSeconds`: the server's error has no label then."""
    await database["letters"].insert_one({"_id": "b"})
    write, _ = writing(database)

    async def write_slowly(txn: Txn) -> None:
        await write(txn)
        await database["letters"].find({"$where": "sleep(8000) || true"}, session=txn).to_list(None)

    with pytest.raises(PyMongoError) as ended:
        await database.transaction(write_slowly)
    assert isinstance(ended.value, OperationFailure)
    assert is_transient(ended.value)
    assert await database["letters"].count_documents({}) == 1


async def test_transactions_one_after_the_other_share_a_session_and_those_at_once_have_their_own(
    database: MongoDatabase,
) -> None:
    seen: list[Txn] = []

    async def write(txn: Txn) -> None:
        seen.append(txn)
        await database["letters"].insert_one({"_id": len(seen)}, session=txn)

    await database.transaction(write)
    await database.transaction(write)
    assert seen[0] is seen[1]
    await asyncio.gather(*(database.transaction(write) for _ in range(3)))
    assert len(set(map(id, seen[2:]))) == 3
    assert await database["letters"].count_documents({}) == 5


async def test_a_session_that_saw_a_failure_or_was_idle_for_long_is_not_used_again(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Txn] = []

    async def look(txn: Txn) -> None:
        seen.append(txn)
        await database["letters"].find_one({}, session=txn)

    async def break_off(txn: Txn) -> None:
        await look(txn)
        raise LookupError

    await database.transaction(look)
    with pytest.raises(LookupError):
        await database.transaction(break_off)
    await database.transaction(look)
    first, failed, fresh = seen
    assert failed is first
    assert fresh is not first
    assert first.has_ended
    monkeypatch.setattr("shared.mongo.transactions.IDLE_SECONDS", -1.0)
    await database.transaction(look)
    assert seen[-1] is not fresh
    assert fresh.has_ended
