"""`kith backup` of a stack that runs, and `kith restore` into one that does not."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from typer.testing import CliRunner, Result

from deploy.cli.main import application
from deploy.embedded.servers import Mongod, free_ports
from shared.mongo import MongoDatabase
from tests.integration.cli.conftest import Running
from tests.integration.cli.test_operations import refer


def kith(*arguments: str | Path) -> Result:
    with ThreadPoolExecutor(1) as thread:
        command = [str(argument) for argument in arguments]
        return thread.submit(CliRunner().invoke, application(), command).result()


async def announced(data: Path) -> int:
    """How many outbox documents the restored intake has, its mongod started anew."""
    mongod = Mongod(data / "mongod", free_ports(1), data / "again.log")
    mongod.start()
    await mongod.ready()
    database = MongoDatabase(mongod.uri, "kith_intake")
    try:
        return int(await database["outbox"].count_documents({}))
    finally:
        await database.close()
        await asyncio.to_thread(mongod.stop)


async def test_a_backup_of_a_running_stack_is_looked_at_first_and_restored_once(
    stack: Running, tmp_path: Path
) -> None:
    refer(stack, "somebody to back up")
    folder, empty = tmp_path / "backup", tmp_path / "empty"
    told = stack.kith("backup", folder)
    assert told.exit_code == 0, told.output
    assert "It holds names." in told.stdout
    again = stack.kith("backup", folder)
    assert again.exit_code == 1
    assert "every backup gets a folder of its own" in again.stderr.replace("\n", " ")

    looked = kith("restore", folder, "--data", empty)
    assert looked.exit_code == 0
    assert "is whole" in looked.stdout
    assert not (empty / "mongod").exists()

    refused = stack.kith("restore", folder, "--yes")
    assert refused.exit_code == 1
    assert "already running" in refused.stderr

    done = kith("restore", folder, "--data", empty, "--yes")
    assert done.exit_code == 0, done.output
    assert "ask them" in done.stdout
    assert await announced(empty) > 0
    twice = kith("restore", folder, "--data", empty, "--yes")
    assert twice.exit_code == 1
    assert "empty databases only" in twice.stderr.replace("\n", " ")
