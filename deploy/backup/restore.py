"""Restores a backup into empty databases. The services must be stopped, and the Kafka log must be empty.

A log with messages from after the backup would contradict it: the services resume at the backup's instant
and number their announcements from there. An empty log is filled from the outboxes.
"""

from contextlib import suppress
from pathlib import Path

from deploy.backup.manifest import Kept, Manifest, read, read_manifest, verify
from deploy.embedded.plan import PAGE, SERVICES
from shared.messaging.lease import COLLECTION as LEASES
from shared.messaging.log import reading
from shared.messaging.topics import topics
from shared.mongo import PyMongoError
from shared.raw import RawServer, raw_server
from shared.settings import Settings

AT_ONCE = 500
"""Documents per insert: an outbox document may be large."""

IN_USE = {"$expr": {"$gt": ["$until", "$$NOW"]}}


class NotEmpty(Exception):
    """The target holds data already, or a service still works on it."""


class NotRestored(Exception):
    """The restore was incomplete, and was rolled back."""


async def require_empty_log(settings: Settings) -> None:
    """Raises `NotEmpty` if any declared topic has messages; `KafkaError`, `OSError` without a broker."""
    async with reading(settings, sorted(topics())) as log:
        _, messages = await log.progress()
    if messages:
        raise NotEmpty(
            f"the Kafka log at {settings.kafka} has {messages:,} messages from after or before the backup: "
            "restore onto a new cluster, or delete Kith's topics and make them anew"
        )


async def restore(uri: str, folder: Path, *, prefix: str) -> Manifest:
    """Raises `NotABackup`, `NotEmpty`, `NotRestored` and PyMongo's errors, and leaves nothing behind then."""
    manifest = read_manifest(folder)
    verify(folder, manifest)
    async with raw_server(uri) as server:
        await _require_empty(server, prefix)
        await _fill(server, folder, manifest, prefix)
    return manifest


async def _require_empty(server: RawServer, prefix: str) -> None:
    for database in (prefix + service for service in (*SERVICES, PAGE)):
        for name in await server.collections(database):
            if name == LEASES:
                if await server.count(database, name, IN_USE):
                    raise NotEmpty(f"a service works on {database}: stop all services first")
            elif await server.holds_documents(database, name):
                raise NotEmpty(f"{database}.{name} has documents; a backup goes into empty databases only")


async def _fill(server: RawServer, folder: Path, manifest: Manifest, prefix: str) -> None:
    for service in (*SERVICES, PAGE):
        await server.drop(prefix + service, LEASES)
    try:
        for kept in manifest.collections:
            await _put(server, folder, kept, prefix + kept.service)
        await _require_nobody_worked(server, prefix)
    except BaseException:
        with suppress(PyMongoError):
            for kept in manifest.collections:
                await server.drop(prefix + kept.service, kept.collection)
        raise


async def _require_nobody_worked(server: RawServer, prefix: str) -> None:
    """Raise if a service has started: it took its empty outbox for published and would not look again."""
    for database in (prefix + service for service in (*SERVICES, PAGE)):
        if await server.holds_documents(database, LEASES):
            raise NotRestored(
                f"a service worked on {database} meanwhile, and all was taken away again: stop all services, "
                "so that nothing starts them, and restore again"
            )


async def _put(server: RawServer, folder: Path, kept: Kept, database: str) -> None:
    await server.drop(
        database, kept.collection
    )  # an empty one; the services create its indexes when they start
    await server.make(database, kept.collection)
    for documents in read(folder, kept, AT_ONCE):
        await server.insert(database, kept.collection, documents)
    arrived = await server.count(database, kept.collection, {})
    if arrived != kept.documents:
        raise NotRestored(f"{database}.{kept.collection} has {arrived:,} of {kept.documents:,} documents")
