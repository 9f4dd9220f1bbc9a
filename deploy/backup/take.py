"""Takes a backup while everything runs.

All databases are read as of one instant of their common replica set. Whatever a consumer had processed by
then was already in its producer's outbox, so no event in the backup lacks its cause. Messages announced but
not yet consumed are delivered again when the outboxes refill the log. Reading the databases one after the
other could not guarantee that in any order, because the services consume each other's events in circles.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.backup.manifest import Manifest, write
from deploy.embedded.plan import PAGE, SERVICES
from shared.messaging.lease import COLLECTION as LEASES
from shared.metrics import running_version
from shared.raw import InstantGone, RawServer, raw_server

FORGOTTEN = {LEASES}
"""Not backed up: lease holders, and progress in filling a log, mean nothing on another cluster."""

LONGER = "raise minSnapshotHistoryWindowInSeconds on the server (default 300), or stop the services meanwhile"


class NothingToBackUp(Exception):
    """A service's database is missing: wrong server, wrong prefix, or never started."""


class NotThePrimary(Exception):
    """The server is not the primary and may be behind the backup's instant."""


class TooSlow(Exception):
    """The server dropped the instant's history before everything was read."""


async def take(uri: str, folder: Path, *, prefix: str) -> Manifest:
    """Write a backup into `folder`, which must not exist and appears only when the backup is complete.

    Raises `NotThePrimary`, `NothingToBackUp`, `TooSlow`, `FileExistsError` and PyMongo's errors.
    """
    with _draft_of(folder) as draft:
        async with raw_server(uri) as server:
            manifest = await _take(server, draft, prefix)
        manifest.save(draft)
    return manifest


@contextmanager
def _draft_of(folder: Path) -> Iterator[Path]:
    """A temporary folder, renamed to `folder` if the block succeeds and deleted otherwise."""
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; every backup gets a folder of its own")
    draft = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    try:
        yield draft
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


async def _take(server: RawServer, folder: Path, prefix: str) -> Manifest:
    if not await server.is_primary():
        raise NotThePrimary(
            "the server at that address is not the primary: name the replica set, without directConnection"
        )
    chosen = await _collections(server, prefix)
    taken_at = await server.now()
    try:
        async with server.instant() as instant:
            kept = [
                await write(folder, service, name, instant.batches(prefix + service, name))
                for service, name in chosen
            ]
    except InstantGone as gone:
        raise TooSlow(f"the server no longer has {gone} as of the backup's instant: {LONGER}") from gone
    return Manifest(
        taken_at=taken_at,
        kith=running_version(),
        mongodb=await server.version(),
        collections=tuple(kept),
    )


async def _collections(server: RawServer, prefix: str) -> list[tuple[str, str]]:
    """(service, collection) pairs. The page's may be missing: it is optional and can be rebuilt."""
    found = {service: await server.collections(prefix + service) for service in (*SERVICES, PAGE)}
    missing = [prefix + service for service in SERVICES if not found[service]]
    if missing:
        raise NothingToBackUp(f"there is nothing in {', '.join(missing)}")
    return [(service, name) for service, names in found.items() for name in names if name not in FORGOTTEN]
