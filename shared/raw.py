"""Documents as the bytes they are stored in, of many databases as of one instant: for backups.

Beside `shared.mongo` the only module that knows BSON.
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
"""SnapshotTooOld, SnapshotUnavailable: the server has not everything as of that instant."""

Unread = RawBSONDocument
"""A document nobody looked into: `.raw` are its bytes."""


class InstantGone(Exception):
    """The server forgot the instant before everything was read: more history or less data is needed."""


class Instant:
    """Many databases of one server as they were at one moment.

    That moment is the first read's; whatever was acknowledged by a majority before it is in it.
    """

    def __init__(self, client: "AsyncMongoClient[Any]", txn: Any) -> None:
        self._client, self._txn = client, txn

    async def batches(self, database: str, collection: str) -> AsyncIterator[bytes]:
        """The documents of a collection, back to back. Raises `InstantGone`."""
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
        """By the server's clock, in UTC: commands answer without a zone."""
        moment: datetime = (await self._client.admin.command("hello"))["localTime"]
        return moment.replace(tzinfo=UTC)

    async def is_primary(self) -> bool:
        """With `directConnection` an address may lead to a secondary, which answers all the same."""
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
        """Collections must have been listed before: what is made later is not part of it."""
        async with self._client.start_session(snapshot=True) as txn:
            yield Instant(self._client, txn)


@asynccontextmanager
async def raw_server(uri: str) -> AsyncIterator[RawServer]:
    """Reads the primary, whatever the address prefers: a secondary may be behind the moment that is named."""
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
    """How many documents stand back to back in these bytes."""
    found = place = 0
    while place < len(batch):
        (length,) = unpack_from("<i", batch, place)
        place += length
        found += 1
    return found


def documents(file: IO[bytes]) -> Iterator[Unread]:
    """The documents in a file, not looked into. Raises `bson.InvalidBSON` for what are none."""
    yield from decode_file_iter(file, RAW)
