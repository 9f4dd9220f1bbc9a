"""Reads and writes documents as raw BSON, of many databases as of one instant, for backups.

Besides `shared.mongo`, the only module that uses BSON.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from struct import unpack_from
from typing import IO, Any

from bson import decode_file_iter
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
SNAPSHOT_GONE = {239, 246}
"""SnapshotTooOld, SnapshotUnavailable: the server does not have all data as of that instant."""

Unread = RawBSONDocument
"""An undecoded document; `.raw` holds its bytes."""


class InstantGone(Exception):
    """The server dropped the snapshot before everything was read: keep more history or less data."""


class Instant:
    """A snapshot of many databases of one server.

    Its instant is that of the first read. It includes all writes that a majority acknowledged before.
    """

    def __init__(self, client: "AsyncMongoClient[Any]", txn: Any) -> None:
        self._client, self._txn = client, txn

    async def batches(self, database: str, collection: str) -> AsyncIterator[bytes]:
        """Yield the documents of a collection, concatenated. Raises `InstantGone`."""
        found = self._client[database].get_collection(collection, read_concern=ReadConcern("snapshot"))
        try:
            async for batch in found.find_raw_batches(session=self._txn):
                yield bytes(batch)
        except OperationFailure as error:
            if error.code in SNAPSHOT_GONE:
                raise InstantGone(f"{database}.{collection}") from error
            raise


class RawServer:
    """A MongoDB server as a backup sees it. Raises PyMongo's errors."""

    def __init__(self, client: "AsyncMongoClient[Any]") -> None:
        self._client = client

    async def version(self) -> str:
        return str((await self._client.admin.command("buildInfo"))["version"])

    async def now(self) -> datetime:
        """Return the server's time, in UTC: command replies have no time zone."""
        moment: datetime = (await self._client.admin.command("hello"))["localTime"]
        return moment.replace(tzinfo=UTC)

    async def is_primary(self) -> bool:
        """Whether this is the primary: with `directConnection` a secondary would answer as well."""
        return bool((await self._client.admin.command("hello")).get("isWritablePrimary"))

    async def collections(self, database: str) -> list[str]:
        names = await self._client[database].list_collection_names(filter={"type": "collection"})
        return sorted(name for name in names if not name.startswith("system."))

    async def holds_documents(self, database: str, collection: str) -> bool:
        return await self._client[database][collection].find_one({}, {"_id": 1}) is not None

    async def count(self, database: str, collection: str, query: dict[str, Any]) -> int:
        return int(await self._client[database][collection].count_documents(query))

    async def insert(self, database: str, collection: str, documents: Sequence[Unread]) -> None:
        into = self._client[database].get_collection(collection, codec_options=RAW)
        await into.insert_many(documents, ordered=False)

    async def make(self, database: str, collection: str) -> None:
        await self._client[database].create_collection(collection)

    async def drop(self, database: str, collection: str) -> None:
        await self._client[database].drop_collection(collection)

    @asynccontextmanager
    async def instant(self) -> AsyncIterator[Instant]:
        """Open a snapshot. List collections before: those created later are not part of it."""
        async with self._client.start_session(snapshot=True) as txn:
            yield Instant(self._client, txn)


@asynccontextmanager
async def raw_server(uri: str) -> AsyncIterator[RawServer]:
    """Connect, reading the primary whatever `uri` prefers: a secondary may lag behind the instant named."""
    client: AsyncMongoClient[Any] = AsyncMongoClient(
        uri,
        w="majority",
        journal=True,
        tz_aware=True,
        readPreference="primary",
        maxStalenessSeconds=-1,
        readPreferenceTags="",
        serverSelectionTimeoutMS=10_000,
        appname="kith-backup",
    )
    try:
        yield RawServer(client)
    finally:
        await client.close()


def count(batch: bytes) -> int:
    """Count the concatenated documents in these bytes."""
    found = place = 0
    while place < len(batch):
        (length,) = unpack_from("<i", batch, place)
        place += length
        found += 1
    return found


def documents(file: IO[bytes]) -> Iterator[Unread]:
    """Yield the documents in a file, undecoded. Raises `bson.InvalidBSON` for invalid data."""
    yield from decode_file_iter(file, RAW)
