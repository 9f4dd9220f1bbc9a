"""What a backup refuses, on a real mongod."""

import gzip
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import ReadPreference

from deploy.backup import restore as restoring
from deploy.backup.manifest import NotABackup, read_manifest
from deploy.backup.restore import NotEmpty, NotRestored, require_empty_log, restore
from deploy.backup.take import NothingToBackUp, NotThePrimary, take
from deploy.embedded.plan import SERVICES
from deploy.embedded.servers import Mongod, free_ports
from shared.messaging.lease import Lease
from shared.messaging.topics import topics
from shared.mongo import Document, MongoDatabase, PyMongoError
from shared.settings import Settings
from tests.support.eventually import eventually
from tests.support.servers import any_broker, drop_databases, kafka_settings, running_mongod

ROWS: list[Document] = [
    {"_id": f"row-{number}", "size": number, "text": "ł" * number} for number in range(1200)
]


@pytest.fixture(scope="module")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    async with running_mongod(tmp_path_factory.mktemp("backup")) as running:
        yield running


@pytest.fixture
async def uri(mongod: Mongod) -> AsyncIterator[str]:
    """A server on which `a_` holds something of every service, and nothing else is."""
    for service in SERVICES:
        database = MongoDatabase(mongod.uri, f"a_{service}")
        await database["things"].insert_many([dict(row) for row in ROWS])
        await Lease(database, "relay", holder="somebody").take()
        await database.close()
    yield mongod.uri
    for prefix in ("a_", "b_"):
        await drop_databases(mongod.uri, prefix)


async def rows(uri: str, database: str, collection: str = "things") -> list[Document]:
    server = MongoDatabase(uri, database)
    try:
        found: list[Document] = await server[collection].find().sort("size", 1).to_list(None)
        return found
    finally:
        await server.close()


async def test_every_document_comes_back_as_it_was_and_leases_do_not(uri: str, tmp_path: Path) -> None:
    manifest = await take(uri, tmp_path / "backup", prefix="a_")
    assert manifest.documents == len(ROWS) * len(SERVICES)
    assert manifest.taken_at.tzinfo is not None
    await restore(uri, tmp_path / "backup", prefix="b_")
    for service in SERVICES:
        assert await rows(uri, f"b_{service}") == ROWS
        assert await rows(uri, f"b_{service}", "leases") == []


async def test_only_the_owner_can_read_a_backup(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    await take(uri, folder, prefix="a_")
    kept = [folder, *folder.rglob("*")]
    assert len(kept) > 1 + len(SERVICES)
    for path in kept:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


async def test_a_changed_or_missing_file_is_named_and_nothing_is_restored(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    await take(uri, folder, prefix="a_")
    file = folder / "alerts" / "things.bson.gz"
    whole = file.read_bytes()
    file.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    with pytest.raises(NotABackup, match=r"alerts/things.*checksum"):
        await restore(uri, folder, prefix="b_")
    file.unlink()
    with pytest.raises(NotABackup, match=r"alerts/things\.bson\.gz is missing"):
        await restore(uri, folder, prefix="b_")
    assert await rows(uri, "b_intake") == []


async def test_a_backup_goes_into_empty_databases_only(uri: str, tmp_path: Path) -> None:
    await take(uri, tmp_path / "backup", prefix="a_")
    with pytest.raises(NotEmpty, match=r"stop all services|has documents"):
        await restore(uri, tmp_path / "backup", prefix="a_")
    assert await rows(uri, "a_intake") == ROWS


async def test_a_service_at_work_is_noticed_by_its_lease(uri: str, tmp_path: Path) -> None:
    await take(uri, tmp_path / "backup", prefix="a_")
    database = MongoDatabase(uri, "b_scheduler")
    await Lease(database, "relay", holder="scheduler-1", ttl_ms=50_000).take()
    await database.close()
    with pytest.raises(NotEmpty, match="b_scheduler: stop all services"):
        await restore(uri, tmp_path / "backup", prefix="b_")


async def test_a_service_that_starts_while_a_backup_is_put_back_undoes_it(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the empty outbox for one that has nothing to publish, and will not look again."""
    await take(uri, tmp_path / "backup", prefix="a_")
    put = restoring._put

    async def put_beside_a_service(*arguments: Any) -> None:
        await put(*arguments)
        database = MongoDatabase(uri, "b_scheduler")
        note = {"$set": {"epoch": "e1", "done": True}}
        await database["leases"].update_one({"_id": "relay-epoch-work"}, note, upsert=True)
        await database.close()

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_put", put_beside_a_service)
        with pytest.raises(NotRestored, match=r"b_scheduler.*stop all services.*restore again"):
            await restore(uri, tmp_path / "backup", prefix="b_")
    assert await rows(uri, "b_intake") == []
    await restore(uri, tmp_path / "backup", prefix="b_")
    assert await rows(uri, "b_scheduler") == ROWS
    assert await rows(uri, "b_scheduler", "leases") == []


async def test_a_wrong_prefix_is_no_backup_of_nothing(uri: str, tmp_path: Path) -> None:
    with pytest.raises(NothingToBackUp, match="c_intake"):
        await take(uri, tmp_path / "backup", prefix="c_")
    assert not (tmp_path / "backup").exists()


async def test_an_unfinished_backup_is_none(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    await take(uri, folder, prefix="a_")
    (folder / "manifest.json").unlink()
    with pytest.raises(NotABackup, match="not finished"):
        read_manifest(folder)
    with pytest.raises(FileExistsError):
        await take(uri, folder, prefix="a_")


async def test_what_is_written_while_a_backup_reads_is_not_in_it(uri: str, tmp_path: Path) -> None:
    """The instant is the first read's: what comes later in another database is later."""
    from shared.raw import raw_server

    database = MongoDatabase(uri, "a_alerts")
    async with raw_server(uri) as server, server.instant() as instant:
        first = [batch async for batch in instant.batches("a_intake", "things")]
        await database["things"].insert_one({"_id": "later"})
        then = [batch async for batch in instant.batches("a_alerts", "things")]
    await database.close()
    assert b"".join(first) == b"".join(then)
    assert b"later" not in b"".join(then)


async def test_a_log_with_messages_in_it_contradicts_a_backup(tmp_path: Path) -> None:
    from aiokafka import AIOKafkaProducer

    async with any_broker(tmp_path) as broker:
        settings = Settings(
            environment="development", jwks="unused", kafka=broker.address, **kafka_settings()
        )
        await require_empty_log(settings)
        producer = AIOKafkaProducer(bootstrap_servers=broker.address)
        await producer.start()
        await producer.send_and_wait(next(iter(topics())), b"something")
        await producer.stop()
        with pytest.raises(NotEmpty, match="has 1 messages"):
            await require_empty_log(settings)


@pytest.mark.parametrize(
    "option",
    [
        "readPreference=secondary",
        "readPreference=nearest&maxStalenessSeconds=90",
        "readPreference=secondaryPreferred&readPreferenceTags=dc:east&readPreferenceTags=",
    ],
)
async def test_a_backup_is_read_from_the_primary_whatever_the_address_says(uri: str, option: str) -> None:
    """The moment it names is the primary's; a secondary may not have heard of what was acknowledged then."""
    from shared.raw import raw_server

    asked = f"{uri}&{option}" if "?" in uri else f"{uri.rstrip('/')}/?{option}"
    async with raw_server(asked) as server:
        assert server._client.read_preference == ReadPreference.PRIMARY
        assert server._client["a_intake"]["things"].read_preference == ReadPreference.PRIMARY
        assert await server.count("a_intake", "things", {}) == len(ROWS)


async def test_a_backup_is_not_read_from_a_secondary_to_which_the_address_leads(tmp_path: Path) -> None:
    """Asked directly a secondary answers, though only the primary is to be read."""
    second = Mongod(tmp_path / "second", free_ports(1), tmp_path / "second.log")
    async with running_mongod(tmp_path) as first:
        admin = MongoDatabase(first.uri, "admin")
        second.start()
        try:
            for service in SERVICES:
                await admin.client[f"a_{service}"]["things"].insert_one({})
            config = (await admin.db.command("replSetGetConfig"))["config"]
            member = {"_id": 1, "host": second.address, "priority": 0, "votes": 0}
            config |= {"members": [*config["members"], member], "version": config["version"] + 1}
            await admin.db.command({"replSetReconfig": config})
            await eventually(lambda: _is_secondary(second), within=60)
            with pytest.raises(NotThePrimary, match="directConnection"):
                await take(_direct(second), tmp_path / "backup", prefix="a_")
            assert not (tmp_path / "backup").exists()
            await take(_direct(first), tmp_path / "backup", prefix="a_")
        finally:
            second.kill()
            await admin.close()


def _direct(mongod: Mongod) -> str:
    return f"mongodb://{mongod.address}/?directConnection=true"


async def _is_secondary(mongod: Mongod) -> bool:
    server = MongoDatabase(_direct(mongod), "admin")
    try:
        return bool((await server.db.command("hello")).get("secondary"))
    except PyMongoError:
        return False
    finally:
        await server.close()
