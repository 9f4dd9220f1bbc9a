"""`python -m deploy.compose`: prepare the servers of the compose file; safe to run again and again."""

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
KEYS = Path("/keys")


async def main() -> None:
    settings = Settings.load()
    ensure_keys(KEYS / "development.json", KEYS / "jwks.json")
    await _until("MongoDB", lambda: _initiate("mongo:27017"))
    await _until("Kafka", lambda: create_topics(settings.kafka, topics().values(), embedded=False))
    sys.stdout.write("ready: replica set, topics and keys are there\n")


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
    while True:
        try:
            await attempt()
        except Exception as error:
            sys.stdout.write(f"waiting for {what}: {type(error).__name__}\n")
            sys.stdout.flush()
            await asyncio.sleep(1)
        else:
            return


if __name__ == "__main__":
    asyncio.run(main())
