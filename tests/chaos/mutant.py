"""`python -m tests.chaos.mutant MUTATION SERVICE`: a service with one guarantee taken away."""

import runpy
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pymongo.write_concern import WriteConcern

from shared.messaging.consumer import Consumer
from shared.messaging.inbox import Arrival, Position
from shared.messaging.kafka import next_offsets
from shared.mongo import MongoDatabase


def turn_inbox_off() -> None:
    """Every message counts as new."""
    Position.judge = lambda *_, **__: Arrival.FRESH  # type: ignore[method-assign]


def weaken_writes() -> None:
    """Acknowledged before they are on disk."""

    async def transaction(self: MongoDatabase, work: Callable[[Any], Awaitable[None]]) -> None:
        starting = self.client.start_session()
        async with await starting if self.driver == "motor" else starting as txn:
            await txn.with_transaction(work, write_concern=WriteConcern(w=1, j=False))

    MongoDatabase.transaction = transaction  # type: ignore[method-assign]


def commit_offsets_first() -> None:
    """What is being worked on counts as done."""
    take = Consumer._take

    async def taken(self: Consumer, records: Sequence[Any]) -> None:
        await self._kafka.commit(next_offsets(records))
        await take(self, records)

    Consumer._take = taken  # type: ignore[method-assign]


APPLY = {"inbox-off": turn_inbox_off, "weak-writes": weaken_writes, "offset-first": commit_offsets_first}

if __name__ == "__main__":
    APPLY[sys.argv[1]]()
    runpy.run_module(f"services.{sys.argv[2]}", run_name="__main__")
