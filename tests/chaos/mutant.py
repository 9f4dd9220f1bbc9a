"""`python -m tests.chaos.mutant MUTATION SERVICE`: a service with one guarantee taken away."""

import runpy
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

import shared.mongo.database as mongo
from shared.messaging.consumer import Consumer
from shared.messaging.inbox import Arrival, Position
from shared.messaging.kafka import next_offsets


def turn_inbox_off() -> None:
    """Treat every message as new."""
    Position.judge = lambda *_, **__: Arrival.FRESH  # type: ignore[method-assign]


def weaken_writes() -> None:
    """Acknowledge all writes before they are on disk. Waiting for any one would flush the others."""

    async def transaction(self: mongo.MongoDatabase, work: Callable[[Any], Awaitable[None]]) -> None:
        starting = self.client.start_session()
        async with await starting if self.driver == "motor" else starting as txn:
            weak = WriteConcern(w=1, j=False)
            await txn.with_transaction(work, read_concern=ReadConcern("snapshot"), write_concern=weak)

    def hurried(client: Callable[..., Any]) -> Callable[..., Any]:
        return lambda uri, **options: client(uri, **options | {"w": 1, "journal": False})

    mongo.MongoDatabase.transaction = transaction  # type: ignore[method-assign]
    mongo.AsyncIOMotorClient = hurried(mongo.AsyncIOMotorClient)
    mongo.AsyncMongoClient = hurried(mongo.AsyncMongoClient)


def commit_offsets_first() -> None:
    """Commit offsets before messages are processed."""
    take = Consumer._take

    async def taken(self: Consumer, records: Sequence[Any]) -> None:
        await self._kafka.commit(next_offsets(records))
        await take(self, records)

    Consumer._take = taken  # type: ignore[method-assign]


APPLY = {"inbox-off": turn_inbox_off, "weak-writes": weaken_writes, "offset-first": commit_offsets_first}

if __name__ == "__main__":
    APPLY[sys.argv[1]]()
    runpy.run_module(f"services.{sys.argv[2]}", run_name="__main__")
