"""MongoDB: the only module that imports a driver, except `shared.raw`, which reads and writes backups.

Motor is the default; `driver="pymongo"` takes PyMongo's own async client instead (Motor's critical
fixes end on 14 May 2027). The differences between the two end here.
"""

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import partial
from time import monotonic
from typing import Any, Literal

from bson import ObjectId
from bson.codec_options import CodecOptions, TypeRegistry
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import (
    ASCENDING,
    AsyncMongoClient,
    DeleteOne,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateOne,
    timeout,
)
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.precedence import Precedence
from shared.pulse import Handover, Pulse

__all__ = [
    "ASCENDING",
    "COUNTING_SECONDS",
    "BulkWriteError",
    "DeleteOne",
    "Document",
    "Driver",
    "DuplicateKeyError",
    "Index",
    "InsertOne",
    "MongoDatabase",
    "ObjectId",
    "OperationFailure",
    "PyMongoError",
    "ReplaceOne",
    "ReturnDocument",
    "StandaloneServerError",
    "UpdateOne",
    "is_duplicate_key",
    "is_transient",
    "patience",
    "refusal",
]

Driver = Literal["motor", "pymongo"]
Document = dict[str, Any]
Txn = Any
"""A MongoDB session inside a transaction. (*Session* is a clinical word here.)"""

DUPLICATE_KEY = 11000
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
NAMESPACE_EXISTS = 48
TRANSACTION_TOO_OLD = 290

PERSIST_SECONDS = 30.0
"""How long a transaction is tried again, and its commit asked for."""

SOCKET_MS = 20_000
"""How long an answer is waited for, see `patience`."""

COUNTING_SECONDS = 300.0
"""How long counting the books may take: it reads all there ever was."""

COMMIT_PAUSE = 0.02
IDLE_SECONDS = 60.0
"""How long a session is kept for the next transaction; the server forgets one after 30 minutes."""

HANDED_OVER = 2000
"""At most so many announcements are held for the relay; beyond that it reads the outbox."""

FEW = 20
"""Up to so many documents, a version in each change's filter is cheaper than reading all versions first."""


class StandaloneServerError(RuntimeError):
    """The server is no replica set, so it has no transactions."""


def _encode(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case frozenset() | set():
            return sorted(value)
        case _:
            return value


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode)
)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed when tried again."""
    if isinstance(
        error,
        AutoReconnect
        | ConnectionFailure
        | NetworkTimeout
        | ServerSelectionTimeoutError
        | WriteConcernError
        | ExecutionTimeout,
    ):
        return True
    if isinstance(error, OperationFailure) and error.code == TRANSACTION_TOO_OLD:
        return True  # ended by the server in the middle of an operation: no label says so
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError")
        or error.has_error_label("UnknownTransactionCommitResult")
        or error.has_error_label("RetryableWriteError")
    )


def patience(seconds: float) -> AbstractContextManager[None]:
    """What is asked of the server within this may take so long, in place of a socket's 20 s."""
    limit: AbstractContextManager[None] = timeout(seconds)
    return limit


def refusal(error: BaseException) -> str:
    """Why the server will never serve us as we are, or nothing: no waiting mends a password."""
    code = error.code if isinstance(error, OperationFailure) else None
    if code == AUTHENTICATION_FAILED:
        return "MongoDB refuses its user or password"
    if code == UNAUTHORIZED:
        return "its user may not use this service's database (it needs readWrite there)"
    return ""


def is_duplicate_key(error: BaseException) -> bool:
    if isinstance(error, DuplicateKeyError):
        return True
    return isinstance(error, BulkWriteError) and any(
        failed.get("code") == DUPLICATE_KEY for failed in error.details.get("writeErrors", [])
    )


class Index:
    """An index a store declares: fields ascending, optionally unique or partial.

    `forget_after`: documents are deleted that long after the instant in the (only) field.
    """

    def __init__(
        self,
        collection: str,
        *fields: str,
        unique: bool = False,
        partial: Document | None = None,
        forget_after: timedelta | None = None,
    ) -> None:
        self.collection, self.fields = collection, fields
        self.options: Document = {"unique": unique}
        if partial is not None:
            self.options["partialFilterExpression"] = partial
        if forget_after is not None:
            self.options["expireAfterSeconds"] = int(forget_after.total_seconds())


class MongoDatabase:
    """One service's database: collections, transactions and the few calls the drivers differ in.

    `prefix` begins the name of every collection: a second set of all of them beside the first.
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
        """Beats when something was stored that is due at once: tickers look again."""
        self.announced: defaultdict[str, Handover[Any]] = defaultdict(partial(Handover, HANDED_OVER))
        """Beats, by lane, when something was put into the outbox, and hands it over (`outbox.Row`)."""
        self.precedence = Precedence()
        """Crises go first among those of this process who use the database."""
        self._idle: deque[tuple[float, Txn]] = deque()
        """Idle sessions, each with the time since when; the one used last is used next."""
        self._collections: dict[str, Any] = {}
        self.db: Any = self.client.get_database(name, codec_options=CODEC)

    def __getitem__(self, collection: str) -> Any:
        found = self._collections.get(collection)
        if found is None:  # both drivers take their time to make one
            found = self._collections[collection] = self.db[self._prefix + collection]
        return found

    def majority(self, collection: str) -> Any:
        """Reads with majority concern, for what is sent outside: no election can undo what was read."""
        return self[collection].with_options(read_concern=ReadConcern("majority"))

    async def close(self) -> None:
        while self._idle:
            _, txn = self._idle.pop()
            await txn.end_session()
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
        return told.replace(tzinfo=UTC)  # commands are answered without a zone

    async def ensure_indexes(self, indexes: Sequence[Index]) -> None:
        await self.ensure_collections([index.collection for index in indexes])
        for index in indexes:
            keys = [(field, ASCENDING) for field in index.fields]
            await self[index.collection].create_index(keys, **index.options)

    async def ensure_collections(self, names: Sequence[str]) -> None:
        """Make what is not there yet: a transaction must not have to."""
        existing = set(await self.db.list_collection_names())
        for name in dict.fromkeys(names):
            if self._prefix + name not in existing:
                try:
                    await self.db.create_collection(self._prefix + name)
                except OperationFailure as error:
                    if error.code != NAMESPACE_EXISTS:  # another replica made it meanwhile
                        raise

    async def transaction(self, work: Callable[[Txn], Awaitable[None]]) -> None:
        """Run `work` in one transaction, again if MongoDB asks for it: so database writes only.

        In place of the drivers' `with_transaction`: Motor's commits outside its retry loop, so a commit whose
        answer got lost would be an error although it may have been done. After `PERSIST_SECONDS` the last
        error is raised.
        """
        until, pause = monotonic() + PERSIST_SECONDS, 0.005
        async with self._session() as txn:
            while True:
                try:
                    await self._attempt(work, txn, until)
                except PyMongoError as error:
                    if txn.in_transaction:
                        await txn.abort_transaction()
                    if monotonic() > until or not error.has_error_label("TransientTransactionError"):
                        raise
                else:
                    return
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 (spreads those who met)
                pause = min(pause * 1.5, 0.5)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Txn]:
        """One that is idle, or a new one; kept only if all went well.

        For Motor, beginning and ending one each cost a round trip to a thread.
        """
        while self._idle and monotonic() - self._idle[0][0] > IDLE_SECONDS:
            _, stale = self._idle.popleft()
            await stale.end_session()
        if self._idle:
            _, txn = self._idle.pop()
        else:
            starting = self.client.start_session()
            txn = await starting if self.driver == "motor" else starting
        try:
            yield txn
        except BaseException:
            await txn.end_session()
            raise
        self._idle.append((monotonic(), txn))

    async def _attempt(self, work: Callable[[Txn], Awaitable[None]], txn: Txn, until: float) -> None:
        starting = txn.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=WriteConcern(w="majority", j=True)
        )
        if self.driver == "pymongo":
            await starting
        await work(txn)
        while True:
            try:
                await txn.commit_transaction()
            except PyMongoError as error:
                if monotonic() > until or not error.has_error_label("UnknownTransactionCommitResult"):
                    raise
                await asyncio.sleep(COMMIT_PAUSE)  # a server on its way out says so at once
            else:
                return

    async def filters(self, collection: str, versions: Mapping[str, int], txn: Txn) -> dict[str, Document]:
        """Filters by id that match each document only in the version given, in this transaction.

        A version in a filter costs mongod as much as the update itself, because it plans each one. So for
        many documents the versions are read first: a change by others after that conflicts with our write.
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
        """Write in one transaction; how many documents the updates and replacements met.

        Ordered: the first write that fails aborts the transaction. Unordered, later writes would fail with
        "no such transaction", which is labelled transient, and all of it would be retried for
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
        """Put the collections of another `prefix` into the place of ours, one after the other.

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
        """A change stream of some operations (`insert`, `replace` …); only ids and `fields` travel.

        `try_next()` returns soon, with or without a change. It ends when another collection takes this one's
        place. While it is open, the server looks at every write of every database for it.
        """
        shown = {"_id": 1, "documentKey": 1, "operationType": 1} | {
            f"fullDocument.{field}": 1 for field in fields
        }
        chosen = {"$match": {"operationType": {"$in": list(operations)}}}
        watching = self[collection].watch([chosen, {"$project": shown}], max_await_time_ms=500)
        stream = await watching if self.driver == "pymongo" else watching
        async with stream:
            yield stream
