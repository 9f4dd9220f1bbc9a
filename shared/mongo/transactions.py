"""Transactions, the same for both drivers."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Literal

from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

Driver = Literal["motor", "pymongo"]
Txn = Any
"""A MongoDB session inside a transaction. (*Session* is a clinical word here.)"""

PERSIST_SECONDS = 30.0
"""How long a transaction, and its commit, are retried."""

COMMIT_PAUSE = 0.02
IDLE_SECONDS = 60.0
"""How long an idle session is kept for reuse; the server drops one after 30 minutes."""


class Transactions:
    """Runs transactions of one client and reuses their sessions."""

    def __init__(self, client: Any, driver: Driver) -> None:
        self._client, self._driver = client, driver
        self._idle: deque[tuple[float, Txn]] = deque()
        """Idle sessions, each with the time since when it is idle; the last one used is reused first."""

    async def close(self) -> None:
        while self._idle:
            _, txn = self._idle.pop()
            await txn.end_session()

    async def run(self, work: Callable[[Txn], Awaitable[None]]) -> None:
        """Run `work` in one transaction. It may be retried, so it must do database writes only.

        Replaces the drivers' `with_transaction`: Motor's commits outside its retry loop, so a commit whose
        reply was lost would raise although it may have succeeded. After `PERSIST_SECONDS` the last error is
        raised.
        """
        until, pause = monotonic() + PERSIST_SECONDS, 0.005
        async with self._session() as txn:
            while True:
                try:
                    await self._attempt(work, txn, until)
                except PyMongoError as error:
                    if txn.in_transaction:
                        await txn.abort_transaction()
                    if monotonic() > until or not error.has_error_label("TransientTransactionError"):
                        raise
                else:
                    return
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 (spreads retries)
                pause = min(pause * 1.5, 0.5)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Txn]:
        """Reuse an idle session or start one; discard it after an error.

        With Motor, starting and ending a session each cost a round trip to a thread.
        """
        while self._idle and monotonic() - self._idle[0][0] > IDLE_SECONDS:
            _, stale = self._idle.popleft()
            await stale.end_session()
        if self._idle:
            _, txn = self._idle.pop()
        else:
            starting = self._client.start_session()
            txn = await starting if self._driver == "motor" else starting
        try:
            yield txn
        except BaseException:
            await txn.end_session()
            raise
        self._idle.append((monotonic(), txn))

    async def _attempt(self, work: Callable[[Txn], Awaitable[None]], txn: Txn, until: float) -> None:
        starting = txn.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=WriteConcern(w="majority", j=True)
        )
        if self._driver == "pymongo":
            await starting
        await work(txn)
        while True:
            try:
                await txn.commit_transaction()
            except PyMongoError as error:
                if monotonic() > until or not error.has_error_label("UnknownTransactionCommitResult"):
                    raise
                await asyncio.sleep(COMMIT_PAUSE)  # a server that is shutting down fails at once
            else:
                return
