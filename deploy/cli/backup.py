"""`kith backup` and `kith restore`: everything the services store, as of one instant."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.console import DATA, DataFolder, console, fail, running_stack

if TYPE_CHECKING:
    from deploy.backup.manifest import Manifest
    from shared.settings import Settings

MONGODB = "KITH_MONGODB"

Folder = Annotated[Path, typer.Argument(file_okay=False, help="The backup's folder.")]
Prefix = Annotated[
    str, typer.Option("--prefix", envvar="KITH_DATABASE_PREFIX", help="Of the databases' names.")
]


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(folder: Folder, data: DataFolder = DATA, prefix: Prefix = "kith_") -> None:
    """Copy every service's database into a new folder, all as of one instant, while everything runs.

    Backs up the stack in --data or, if KITH_MONGODB is set, the replica set at that address. The folder
    holds names and free text: only its owner can read it, and copies must be protected in the same way.
    """
    from deploy.backup.take import take
    from shared.settings import without_line_end

    uri = without_line_end(os.environ.get(MONGODB)) or running_stack(data).mongodb
    manifest = _in_one_line(lambda: take(uri, folder.resolve(), prefix=prefix))
    out = console()
    out.print(
        f"{manifest.documents:,} documents of {len(manifest.collections)} collections are in {folder}.\n"
        f"Everything acknowledged before {manifest.taken_at.isoformat()} is in it. It holds names.",
        soft_wrap=True,
    )


def restore(
    folder: Folder,
    data: DataFolder = DATA,
    prefix: Prefix = "kith_",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it the backup is only looked at.")
    ] = False,
) -> None:
    """Put a backup into empty databases; the services must be stopped, and refill Kafka when they start.

    Restores into the stack in --data or, if KITH_MONGODB is set, into that replica set. The latter needs
    the environment of a service, and its Kafka log must be empty.
    """
    from deploy.backup.manifest import read_manifest, verify

    out = console()

    async def look() -> "Manifest":
        manifest = read_manifest(folder)
        verify(folder, manifest)
        return manifest

    manifest = _in_one_line(look)
    out.print(
        f"The backup of {manifest.taken_at.isoformat()} is whole: {manifest.documents:,} documents, "
        f"MongoDB {manifest.mongodb}, Kith {manifest.kith}.",
        soft_wrap=True,
    )
    if not yes:
        out.print("To restore it, add --yes.")
        return
    _in_one_line(lambda: _restore(folder, data.resolve(), prefix))
    out.print(
        "Restored. Start the services: they make their indexes and refill Kafka from the outboxes.\n"
        f"What people entered after {manifest.taken_at.isoformat()} is not in it: ask them.",
        soft_wrap=True,
    )


async def _restore(folder: Path, data: Path, prefix: str) -> "Manifest":
    from deploy.backup.restore import require_empty_log, restore

    if MONGODB in os.environ:
        settings = _settings()
        await require_empty_log(settings)
        return await restore(settings.mongodb.get_secret_value(), folder, prefix=prefix)
    async with _stopped_stack(data) as uri:
        return await restore(uri, folder, prefix=prefix)


def _settings() -> "Settings":
    from shared.process import to_mend
    from shared.settings import Settings

    try:
        return Settings.load()
    except ValueError as error:
        fail("the environment is no service's:\n" + "\n".join(to_mend(error)), code=2)


@asynccontextmanager
async def _stopped_stack(data: Path) -> AsyncIterator[str]:
    """Run only the mongod of a stopped stack; the broker keeps no log and is not needed."""
    from deploy.embedded.ports import free_ports
    from deploy.embedded.servers import Mongod
    from deploy.embedded.state import locked

    with locked(data):
        mongod = Mongod(data / "mongod", free_ports(1), data / "logs" / "restore.log")
        mongod.log.parent.mkdir(parents=True, exist_ok=True)
        mongod.start()
        try:
            await mongod.ready()
            yield mongod.uri
        finally:
            await asyncio.to_thread(mongod.stop)


def _hosts() -> str:
    """The hosts in `KITH_MONGODB`, without the credentials."""
    hosts = os.environ.get(MONGODB, "").partition("://")[2].rpartition("@")[2].partition("/")[0]
    return f" at {hosts}" if hosts else ""


def _in_one_line(work: "Callable[[], Awaitable[Manifest]]") -> "Manifest":
    """Run `work`; a failure that people can fix ends the command with a one-line message."""
    from aiokafka.errors import KafkaError

    from deploy.backup.manifest import NotABackup
    from deploy.backup.restore import NotEmpty, NotRestored
    from deploy.backup.take import NothingToBackUp, NotThePrimary, TooSlow
    from deploy.embedded.servers import MissingBinary, NotReady
    from deploy.embedded.state import AlreadyRunning
    from shared.mongo import PyMongoError

    async def run() -> "Manifest":
        return await work()

    try:
        return asyncio.run(run())
    except (NotABackup, NotEmpty, NotRestored, NothingToBackUp, TooSlow, FileExistsError) as refused:
        fail(str(refused))
    except (AlreadyRunning, MissingBinary, NotReady, NotThePrimary) as failed:
        fail(f"{failed}")
    except PyMongoError as error:
        fail(f"MongoDB{_hosts()}: {type(error).__name__}; look at it with `kith doctor --prod`")
    except (KafkaError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")
