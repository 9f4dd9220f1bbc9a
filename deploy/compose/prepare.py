"""A replica set, the topics and development keys; safe to run again and again."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from deploy.embedded.broker import create_topics
from deploy.embedded.keys import ensure_keys
from shared.messaging.topics import topics
from shared.mongo import MongoDatabase, OperationFailure
from shared.settings import Settings

ALREADY_INITIALIZED = 23
PAUSE_SECONDS = 0.5


async def prepare(signing_key: Path, jwks: Path) -> None:
    """Waits for both servers without end: the compose file starts them together with this."""
    settings = Settings.load()
    ensure_keys(signing_key, jwks)
    await _until("MongoDB", lambda: _initiate("mongo:27017"))
    await _until("Kafka", lambda: create_topics(settings.kafka, topics().values(), embedded=False))
    _say("ready: replica set, topics and keys are there")


async def _initiate(host: str) -> None:
    """Make the server a replica set of one, unless it is."""
    server = MongoDatabase(f"mongodb://{host}/?directConnection=true", "admin", timeout_ms=2000)
    try:
        config = {"_id": "rs0", "members": [{"_id": 0, "host": host}]}
        await server.client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise
    finally:
        await server.close()


async def _until(what: str, attempt: Callable[[], Awaitable[object]]) -> None:
    said = ""
    while True:
        try:
            await attempt()
        except Exception as error:
            why = type(error).__name__
            if why != said:
                _say(f"waiting for {what}: {why}")
            said = why
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
