"""Every write goes through here: idempotency, concurrent change and one transaction.

`load` reads. `decide` is pure and builds the reply. Both run again if a loaded document changed
concurrently. The answer to a request with an Idempotency-Key is stored in the same transaction.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from fastapi import Response
from pydantic import BaseModel

from shared import tracing
from shared.http.caller import Call
from shared.http.problems import Problem
from shared.messaging.envelope import Cause
from shared.messaging.work import Conflict, Work
from shared.mongo import Document, Index, MongoDatabase, PyMongoError, Txn, is_duplicate_key

W = TypeVar("W", bound=Work)
T = TypeVar("T")

COLLECTION = "idempotency"
COLLECTIONS = [COLLECTION]
INDEXES = [Index(COLLECTION, "at", forget_after=timedelta(days=7))]
ATTEMPTS = 10
DEADLINE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a decision answers. `version` becomes the ETag, `location` the Location header."""

    body: BaseModel | None
    status: int = 200
    version: int | None = None
    location: str | None = None


class ChangedMeanwhile(Exception):
    """Every attempt conflicted with a concurrent change (409)."""


class Commands(Generic[W]):
    """Runs a service's commands. `open_work` creates a new unit of work at the present instant."""

    def __init__(
        self,
        database: MongoDatabase,
        open_work: Callable[[], W],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._database = database
        self._open_work = open_work
        self._deadline_seconds = deadline_seconds

    async def run(
        self, call: Call, load: Callable[[W], Awaitable[None]], decide: Callable[[W], Reply]
    ) -> Response:
        """Load, decide and commit; once per Idempotency-Key, however often and concurrently it is sent.

        Raises `ChangedMeanwhile` after ten conflicts, `Problem` 409 when the key was used for another
        request and 503 when MongoDB takes longer than the deadline, and any error of `load` and `decide`.
        """

        async def decided(work: W) -> Reply:
            return decide(work)

        return await self.run_in_turns(call, load, decided)

    async def run_in_turns(
        self, call: Call, load: Callable[[W], Awaitable[None]], decide: Callable[[W], Awaitable[Reply]]
    ) -> Response:
        """Like `run`, for a long decision that yields to other tasks."""
        return await self._within(
            self._run(call, load, decide),
            "It may or may not have been done: send it again with the same Idempotency-Key.",
        )

    async def read(
        self, call: Call, load: Callable[[W], Awaitable[None]], decide: Callable[[W], Reply]
    ) -> Response:
        """Load and answer; nothing is written. Raises `Problem` 503 after the deadline."""
        work = self._open_work()
        work.cause = _cause(call)
        await self._within(load(work), "Nothing can be read right now: ask again.")
        return _response(decide(work))

    async def _within(self, doing: Awaitable[T], otherwise: str) -> T:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await doing
        except TimeoutError:
            raise Problem(503, "storage_unavailable", otherwise, headers={"Retry-After": "2"}) from None

    async def _run(
        self, call: Call, load: Callable[[W], Awaitable[None]], decide: Callable[[W], Awaitable[Reply]]
    ) -> Response:
        """Attempt the command. The stored answer is read only after a failure: nearly every key is new.

        A repeat always fails first: its key cannot be inserted twice, or its decision was already made.
        """
        for attempt in range(ATTEMPTS):
            if attempt and (earlier := await self._earlier(call)) is not None:
                return earlier
            work = self._open_work()
            work.cause = _cause(call)
            try:
                await load(work)
                response = _response(await decide(work))
            except Exception:
                if not attempt and (earlier := await self._earlier(call)) is not None:
                    return earlier
                raise
            self._remember(call, response, work)
            if await _committed(work):
                return response
            await asyncio.sleep(random.uniform(0, 0.005 * 2 ** min(attempt, 5)))  # noqa: S311 - spreads retries
        raise ChangedMeanwhile

    async def _earlier(self, call: Call) -> Response | None:
        if call.idempotency_key is None:
            return None
        row = await self._database[COLLECTION].find_one({"_id": _key(call)})
        if row is None:
            return None
        if row["digest"] != call.digest:
            raise Problem(
                409,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; choose a new one.",
            )
        return Response(row["body"], row["status"], {**row["headers"], "Idempotent-Replayed": "true"})

    def _remember(self, call: Call, response: Response, work: W) -> None:
        if call.idempotency_key is None:
            return
        row: Document = {
            "_id": _key(call),
            "digest": call.digest,
            "status": response.status_code,
            "body": bytes(response.body),
            "headers": {k: v for k, v in response.headers.items() if k != "content-length"},
            "at": datetime.now(UTC),  # real time: MongoDB expires rows by it
        }

        async def insert(txn: Txn) -> None:
            await self._database[COLLECTION].insert_one(row, session=txn)

        work.also(insert)


def _cause(call: Call) -> Cause:
    return Cause(correlation_id=call.request_id, traceparent=tracing.here())


async def _committed(work: Work) -> bool:
    """Commit; `False` if a concurrent request changed a document or used the key first."""
    try:
        await work.commit()
    except Conflict:
        return False
    except PyMongoError as error:
        if is_duplicate_key(error):
            return False
        raise
    return True


def _key(call: Call) -> str:
    return f"{call.caller.subject}:{call.route}:{call.idempotency_key}"


def _response(reply: Reply) -> Response:
    headers = {}
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    if reply.location is not None:
        headers["Location"] = reply.location
    if reply.body is None:
        return Response(status_code=204 if reply.status == 200 else reply.status, headers=headers)
    body = reply.body.model_dump_json().encode()
    return Response(body, reply.status, headers, media_type="application/json")
