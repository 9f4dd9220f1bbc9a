"""One service's database, and the few calls in which the two drivers differ."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, AsyncMongoClient, timeout
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from shared.mongo.documents import CODEC, Document, Index
from shared.mongo.errors import StandaloneServerError
from shared.mongo.transactions import Driver, Transactions, Txn
from shared.precedence import Precedence
from shared.pulse import Handover, Pulse

NAMESPACE_EXISTS = 48

SOCKET_MS = 20_000
"""How long to wait for a reply, unless within `patience`."""

COUNTING_SECONDS = 300.0
"""How long counting the books may take: it reads the whole history."""

HANDED_OVER = 2000
"""At most so many announcements are kept in memory for the relay; beyond that it reads the outbox."""

FEW = 20
"""Up to so many documents, a version in each filter is cheaper than reading all versions first."""


def patience(seconds: float) -> AbstractContextManager[None]:
    """Allow operations in this context so many seconds, in place of the socket's 20 s."""
    limit: AbstractContextManager[None] = timeout(seconds)
    return limit


class MongoDatabase:
    """One service's database: collections, transactions and the few calls the drivers differ in.

    `prefix` starts every collection's name, which makes room for a second set beside the first.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        *,
        driver: Driver = "motor",
        timeout_ms: int = 5000,
        prefix: str = "",
    ) -> None:
        options: dict[str, Any] = {
            "w": "majority",
            "journal": True,
            "tz_aware": True,
            "serverSelectionTimeoutMS": timeout_ms,
            "socketTimeoutMS": max(timeout_ms, SOCKET_MS),
            "retryWrites": True,
            "appname": f"kith-{name}",
        }
        self.driver: Driver = driver
        self.client: Any = (
            AsyncIOMotorClient(uri, **options) if driver == "motor" else AsyncMongoClient(uri, **options)
        )
        self.name, self._prefix = name, prefix
        self.due = Pulse()
        """Beats when a document that is already due was stored, so that tickers look again."""
        self.announced: defaultdict[str, Handover[Any]] = defaultdict(partial(Handover, HANDED_OVER))
        """By lane: beats when rows were added to the outbox, and hands them over (`outbox.Row`)."""
        self.precedence = Precedence()
        """Gives crises priority among this process's uses of the database."""
        self._transactions = Transactions(self.client, driver)
        self._collections: dict[str, Any] = {}
        self.db: Any = self.client.get_database(name, codec_options=CODEC)

    def __getitem__(self, collection: str) -> Any:
        found = self._collections.get(collection)
        if found is None:  # creating one is slow in both drivers
            found = self._collections[collection] = self.db[self._prefix + collection]
        return found

    def majority(self, collection: str) -> Any:
        """A collection with majority read concern, for data sent outside: no election can undo it."""
        return self[collection].with_options(read_concern=ReadConcern("majority"))

    async def close(self) -> None:
        await self._transactions.close()
        closing = self.client.close()
        if self.driver == "pymongo":
            await closing

    async def ping(self) -> None:
        await self.client.admin.command("ping")

    async def require_replica_set(self) -> None:
        """Raises `StandaloneServerError` when the server cannot do transactions."""
        hello = await self.client.admin.command("hello")
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise StandaloneServerError(
                "MongoDB must run as a replica set (a single node is enough): --replSet"
            )

    async def server_time(self) -> datetime:
        """The primary's clock, to the millisecond."""
        told: datetime = (await self.client.admin.command("hello"))["localTime"]
        return told.replace(tzinfo=UTC)  # command replies have no time zone

    async def ensure_indexes(self, indexes: Sequence[Index]) -> None:
        await self.ensure_collections([index.collection for index in indexes])
        for index in indexes:
            keys = [(field, ASCENDING) for field in index.fields]
            await self[index.collection].create_index(keys, **index.options)

    async def ensure_collections(self, names: Sequence[str]) -> None:
        """Create missing collections, so that no transaction has to."""
        existing = set(await self.db.list_collection_names())
        for name in dict.fromkeys(names):
            if self._prefix + name not in existing:
                try:
                    await self.db.create_collection(self._prefix + name)
                except OperationFailure as error:
                    if error.code != NAMESPACE_EXISTS:  # another replica created it meanwhile
                        raise

    async def transaction(self, work: Callable[[Txn], Awaitable[None]]) -> None:
        """Run `work` in one transaction. It may be retried, so it must do database writes only."""
        await self._transactions.run(work)

    async def filters(self, collection: str, versions: Mapping[str, int], txn: Txn) -> dict[str, Document]:
        """Return filters by id that, in this transaction, match each document only in the given version.

        A version in a filter costs mongod as much as the update itself, because it plans each one. For many
        documents the versions are therefore read first: a later concurrent change conflicts with our write.
        """
        found: dict[str, Document] = {id: {"_id": id, "version": v} for id, v in versions.items()}
        if len(versions) > FEW:
            query: Document = {"_id": {"$in": list(versions)}}
            cursor = self[collection].find(query, {"version": 1}, session=txn, batch_size=len(versions) + 1)
            for row in await cursor.to_list(None):
                if row["version"] == versions[row["_id"]]:
                    del found[row["_id"]]["version"]
        return found

    async def write_all(self, collection: str, operations: Sequence[Any], txn: Txn) -> int:
        """Write in one transaction. Returns how many documents the updates and replacements matched.

        Ordered: the first write that fails aborts the transaction. Unordered, later writes would fail with
        "no such transaction". That error is labelled transient, so the transaction would be retried for
        `PERSIST_SECONDS`.
        """
        by_kind = sorted(operations, key=lambda operation: type(operation).__name__)  # one command each
        result = await self[collection].bulk_write(by_kind, ordered=True, session=txn)
        return int(result.matched_count)

    async def aggregate(self, collection: str, pipeline: list[Document]) -> list[Document]:
        cursor = self[collection].aggregate(pipeline)
        if self.driver == "pymongo":
            cursor = await cursor
        return [row async for row in cursor]

    async def replace_collections(self, names: Sequence[str], prefix: str) -> None:
        """Replace our collections with those of another `prefix`, one after the other.

        Those already renamed are skipped, so it can be repeated after an interruption.
        """
        there = set(await self.db.list_collection_names())
        for name in names:
            if prefix + name in there:
                await self.db[prefix + name].rename(self._prefix + name, dropTarget=True)

    async def drop_collections(self, prefix: str) -> None:
        """Drop every collection whose name begins with `prefix`."""
        for name in await self.db.list_collection_names():
            if name.startswith(prefix):
                await self.db.drop_collection(name)

    @asynccontextmanager
    async def watch(
        self, collection: str, *operations: str, fields: Sequence[str] = ()
    ) -> AsyncIterator[Any]:
        """Open a change stream of some operations (`insert`, `replace` …) that sends only ids and `fields`.

        `try_next()` returns soon, with or without a change. The stream ends when another collection replaces
        this one. While it is open, the server examines every write to every database.
        """
        shown = {"_id": 1, "documentKey": 1, "operationType": 1} | {
            f"fullDocument.{field}": 1 for field in fields
        }
        chosen = {"$match": {"operationType": {"$in": list(operations)}}}
        watching = self[collection].watch([chosen, {"$project": shown}], max_await_time_ms=500)
        stream = await watching if self.driver == "pymongo" else watching
        async with stream:
            yield stream
