"""Sends rows in batches of a few hundred, a few in flight, with retries while intake recovers."""

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from deploy.cli.client import Client, Failed, Json, Refusal

if TYPE_CHECKING:
    from services.intake.forms import ImportRow
    from services.intake.importing import RowError

ROWS_AT_ONCE = 250
"""At most 500. Smaller batches keep each transaction, and the wait of others behind it, short."""

BYTES_AT_ONCE = 2_000_000
IN_FLIGHT = 3
RETRY_SECONDS = 120.0
"""After a kill, MongoDB may keep locks for over a minute: the lifetime of the process's transaction."""

INT64 = range(-(2**63), 2**63)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MAX_DEPTH = 32
NEVER_VALID: list[object] = [{}]
"""Replaces a value that no request may hold, so that only its own row is refused."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`about` names its referrals and people: batches with one in common are never in flight together."""

    rows: tuple[Json, ...]
    about: frozenset[tuple[object, ...]]

    @property
    def numbers(self) -> list[int]:
        return [row["row"] for row in self.rows]


@dataclass
class Tally:
    """Outcomes of the rows so far. `errors` maps row numbers to codes."""

    sent: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    flagged: int = 0
    errors: dict[int, tuple[str, ...]] = field(default_factory=dict)
    crisis_support: str | None = None

    def add(self, batch: Batch, answer: Json) -> None:
        """Count a batch's results. Raises `KeyError` for an answer without them."""
        self.sent += len(batch.rows)
        for outcome in ("created", "updated", "unchanged"):
            setattr(self, outcome, getattr(self, outcome) + answer[outcome])
        for result in answer["results"]:
            self.flagged += bool(result["flagged"])
            if result["outcome"] == "error":
                self.fail(result["row"], result["codes"])
        self.crisis_support = answer.get("crisis_support") or self.crisis_support

    def fail(self, row: int, codes: Iterable[str]) -> None:
        """Add the row's codes; one that both this side and intake found is kept once."""
        self.errors[row] = tuple(dict.fromkeys([*self.errors.get(row, ()), *codes]))


def batches(rows: "Iterable[tuple[int, ImportRow | RowError]]", tally: Tally) -> Iterator[Batch]:
    """Group rows into requests. Invalid rows are sent too: intake detects a crisis in them."""
    from services.intake.importing import RowError, document

    waiting: list[Json] = []
    size = 0
    for number, row in rows:
        if isinstance(row, RowError):
            tally.fail(number, row.codes)
            told: Json = sendable(row.document)
        else:
            told = document(row)
        told_size = len(json.dumps(told))
        if waiting and (len(waiting) == ROWS_AT_ONCE or size + told_size > BYTES_AT_ONCE):
            yield _batch(waiting)
            waiting, size = [], 0
        waiting.append(told)
        size += told_size
    if waiting:
        yield _batch(waiting)


def _batch(rows: list[Json]) -> Batch:
    return Batch(tuple(rows), frozenset(name for row in rows for name in _names(row)))


def _names(row: Json) -> Iterator[tuple[object, ...]]:
    clinic, person = str(row.get("clinic_id")), row.get("person")
    yield "referral", clinic, str(row.get("source_system")), str(row.get("external_id"))
    if isinstance(person, dict) and person.get("external_id") is not None:
        yield "person", clinic, str(person["external_id"])


def sendable(value: Any, depth: int = 0) -> Any:
    """Replace values that strict JSON or the store cannot hold by one that intake refuses."""
    if depth > MAX_DEPTH:
        return NEVER_VALID
    if isinstance(value, dict):
        return {sendable_name(name): sendable(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [sendable(part, depth + 1) for part in value]
    if isinstance(value, str):
        return NEVER_VALID if UNSTORABLE.search(value) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else NEVER_VALID
    return NEVER_VALID if isinstance(value, int) and value not in INT64 else value


def sendable_name(name: str) -> str:
    return UNSTORABLE.sub("*", name)


@dataclass
class Sending:
    """One run. `patience` is the seconds a request is retried; `progress` is called after each answer."""

    client: Client
    clinic: str | None
    tally: Tally
    patience: float = RETRY_SECONDS
    progress: Callable[[], None] = lambda: None
    trouble: Callable[[str], None] = lambda _: None
    run: str = field(default_factory=lambda: uuid4().hex)

    async def send_all(self, work: Iterable[Batch]) -> None:
        """Raises `Failed` when intake cannot be reached for too long or refuses a whole request."""
        flying: dict[asyncio.Task[None], Batch] = {}
        try:
            for batch in work:
                while len(flying) >= IN_FLIGHT or any(batch.about & other.about for other in flying.values()):
                    await _land_one(flying)
                flying[asyncio.create_task(self._send(batch))] = batch
                await asyncio.sleep(0)
            while flying:
                await _land_one(flying)
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def _send(self, batch: Batch) -> None:
        try:
            answer = await self._with_patience(batch)
        except Refusal as refusal:
            if refusal.status != 413:
                raise
            await self._send_halves(batch, refusal)
            return
        self.tally.add(batch, answer)
        self.progress()

    async def _send_halves(self, batch: Batch, refusal: Refusal) -> None:
        """Split a batch that is too large; for a single row, record the refusal as that row's error."""
        if len(batch.rows) == 1:
            self.tally.sent += 1
            self.tally.fail(batch.numbers[0], [refusal.reason])
            return
        middle = len(batch.rows) // 2
        for half in (batch.rows[:middle], batch.rows[middle:]):
            await self._send(Batch(half, batch.about))

    async def _with_patience(self, batch: Batch) -> Json:
        import stamina

        body: Json = {"rows": batch.rows} | ({"clinic_id": self.clinic} if self.clinic else {})
        headers = {"Idempotency-Key": f"{self.run}-{batch.numbers[0]}-{len(batch.rows)}"}
        async for attempt in stamina.retry_context(
            on=self._is_transient, attempts=None, timeout=self.patience, wait_jitter=0.2
        ):
            with attempt:
                return await self.client.post("intake", "/referrals/bulk", json=body, headers=headers)
        raise AssertionError("the last attempt answers or raises")

    def _is_transient(self, error: Exception) -> bool:
        transient = isinstance(error, Failed) and error.transient
        if transient:
            self.trouble(str(error))
        return transient


async def _land_one(flying: dict[asyncio.Task[None], Batch]) -> None:
    """Wait for a request to end and remove what has ended; re-raises its exception."""
    done, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        del flying[task]
    for task in done:
        task.result()
