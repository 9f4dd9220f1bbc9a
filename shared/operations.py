"""Operational routes of every service: books, work in progress, one person's story, dead letters, replays."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Annotated, Any, Literal, Protocol

import orjson
import structlog
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, StringConstraints

from shared.http.caller import Call, call_for
from shared.http.models import AwareDatetime, Strict
from shared.http.paging import Cursor, Page, PageLimit, decode_cursor, encode_cursor, unknown_cursor
from shared.messaging import dead_letters, outbox
from shared.messaging.batch import HELD
from shared.messaging.flow import Place
from shared.messaging.messaging import Messaging
from shared.messaging.topics import LANES
from shared.messaging.work import NotFound
from shared.mongo import COUNTING_SECONDS, MongoDatabase, ObjectId, patience
from shared.service import Service

log = structlog.get_logger()

FLOW_PAUSE = 0.003
HIDDEN = {"headers", "value"}

Engineer = Annotated[Call, Depends(call_for("engineer", "service"))]
Carer = Annotated[Call, Depends(call_for("engineer", "service", "clinician", "coordinator"))]


class Running(Protocol):
    """The part of a running process that these routes use (`shared.process.Process`)."""

    @property
    def service(self) -> Service: ...
    @property
    def messaging(self) -> Messaging: ...
    @property
    def busy(self) -> bool: ...
    def look_at_clock(self) -> None: ...
    async def earliest_due(self) -> datetime | None: ...


class Books(BaseModel):
    service: str
    at: datetime
    entries: list[dict[str, str | int]]


class FlowState(BaseModel):
    """Offsets are next offsets, keyed `topic/partition`; published ones are since this epoch's start.

    `outbox_pending` and `held` are 1 if there is at least one, else 0.
    """

    service: str
    now: datetime
    busy: bool
    epoch: str = ""
    outbox_pending: int = 0
    held: int = 0
    lag: int = 0
    due: datetime | None = None
    published: dict[str, int] = {}
    consumed: dict[str, int] = {}


class Announced(BaseModel):
    """How many events of each type this service has announced, ever."""

    service: str
    counts: dict[str, int]


class StoryEntry(BaseModel):
    """One thing that happened, and what led to it."""

    at: datetime
    service: str
    type: str
    id: str
    subject: str
    sequence: int
    topic: str
    causation_id: str | None
    correlation_id: str
    body: dict[str, Any]


class Story(BaseModel):
    patient_id: str
    entries: list[StoryEntry]


class DeadLetter(BaseModel):
    """Ids, codes and origin; the record itself only when a single letter is shown."""

    id: str
    state: str
    group: str
    reason: str
    crisis: bool
    at: datetime
    topic: str
    partition: int
    offset: int
    about: dict[str, Any]
    discarded: dict[str, Any] | None = None
    """Why, by whom and when it was discarded."""
    headers: dict[str, str] | None = None
    value: str | None = None


class Discard(Strict):
    """The reason is a code, not a sentence, so that it names no person."""

    reason: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{2,59}$")]


class Discarded(BaseModel):
    dead_letter_id: str
    outcome: Literal["discarded", "not_open"]


class Replayed(BaseModel):
    dead_letter_id: str
    outcome: str


class Refill(BaseModel):
    """`after`: where to continue; null if there are no more."""

    documents: int
    dry_run: bool
    after: str | None


def router(process: Running) -> APIRouter:
    api = APIRouter(tags=["operations"])
    service = process.service
    database = service.database

    @api.get("/books")
    async def books(call: Carer) -> Books:
        """How many of each kind are expected, done, cancelled, breached and open, as this service sees it."""
        with patience(COUNTING_SECONDS):
            entries = await service.books()
        rows: list[dict[str, str | int]] = [
            {"kind": e.kind, "column": e.column, "count": e.count} for e in entries
        ]
        letters = {
            "done": "replayed",
            "cancelled": "discarded",
            "open": "open",
            "expected": {"$exists": True},
        }
        for column, state in letters.items():
            count = await database[dead_letters.COLLECTION].count_documents({"state": state})
            rows.append({"kind": "dead_letter", "column": column, "count": count})
        return Books(service=service.name, at=service.clock.now(), entries=rows)

    @api.get("/flow")
    async def flow(
        call: Engineer, wait: Annotated[float, Query(alias="patience", ge=0, le=10)] = 0
    ) -> FlowState:
        """Report work in progress, for callers that wait until there is none.

        `patience`: seconds to wait until this process is idle, has published what it announced and has
        no lag. While it is busy, the remaining work is not examined.
        """
        until = monotonic() + wait
        process.look_at_clock()
        while True:
            state = await _flow(process)
            if not _moving(state) or monotonic() >= until:
                break
            await asyncio.sleep(FLOW_PAUSE)
        if not _moving(state):
            state.held = await database[HELD].count_documents({}, limit=1)
            state.due = await process.earliest_due()
            # Work that was due a moment ago may be done by now, and its events not yet published.
            state.outbox_pending = int(await process.messaging.has_something_to_publish())
        state.published = _by_name(process.messaging.flow.published)
        return state

    @api.get("/announced")
    async def announced(
        call: Engineer,
        type: Annotated[str | None, Query(pattern="^[A-Za-z]{1,60}$")] = None,
        by: Annotated[list[str] | None, Query(max_length=3)] = None,
    ) -> Announced:
        """Count outbox events by type; for one type, by values of some fields. Reads the whole outbox."""
        counts = (
            await outbox.announced(database)
            if type is None
            else await _announced_by(database, type, by or ["type"])
        )
        return Announced(service=service.name, counts=counts)

    @api.get("/story/{patient_id}")
    async def story(patient_id: str, call: Carer) -> Story:
        """Everything this service announced about one person, in order, with causes."""
        entries = await _story(process, patient_id, call)
        return Story(patient_id=patient_id, entries=entries)

    _add_repairs(api, process)
    return api


def _add_repairs(api: APIRouter, process: Running) -> None:
    database = process.service.database

    @api.get("/dead-letters")
    async def list_dead_letters(
        call: Engineer, state: str = "open", cursor: Cursor = None, limit: PageLimit = 50
    ) -> Page[DeadLetter]:
        """List dead letters in the order in which they were set aside."""
        after = decode_cursor(cursor)
        try:
            rows, more = await dead_letters.page(database, state, after=after, limit=limit)
        except ValueError:
            raise unknown_cursor() from None
        items = [_letter(row) for row in rows]
        return Page(items=items, next=None if more is None else encode_cursor(more))

    @api.get("/dead-letters/{id}")
    async def show_dead_letter(id: str, call: Engineer) -> DeadLetter:
        """The letter with the record as it was read (bytes that are not UTF-8 shown as escapes)."""
        row = await database[dead_letters.COLLECTION].find_one({"_id": id})
        if row is None:
            raise NotFound(dead_letters.COLLECTION, id)
        letter = _letter(row)
        letter.headers = {name: _text(value) for name, value in row["headers"]}
        letter.value = _text(row["value"])
        return letter

    @api.post("/dead-letters/{id}/replay")
    async def replay_dead_letter(id: str, call: Engineer) -> Replayed:
        """Process the record again. Two replays have one effect; a record that fails again stays a letter."""
        row = await database[dead_letters.COLLECTION].find_one({"_id": id})
        if row is None:
            raise NotFound(dead_letters.COLLECTION, id)
        if row["state"] != "open":
            return Replayed(dead_letter_id=id, outcome=f"already_{row['state']}")
        for consumer in process.messaging.consumers:
            if consumer.group == row["group"]:
                return Replayed(dead_letter_id=id, outcome=await consumer.consumption.replay(row))
        return Replayed(dead_letter_id=id, outcome="no_such_group")

    @api.post("/dead-letters/{id}/discard")
    async def discard_dead_letter(id: str, call: Engineer, form: Discard) -> Discarded:
        """Discard an open letter with a reason: no further action is expected."""
        if not await database[dead_letters.COLLECTION].count_documents({"_id": id}, limit=1):
            raise NotFound(dead_letters.COLLECTION, id)
        by, now = call.caller.subject, process.service.clock.now()
        done = await dead_letters.discard(database, id, reason=form.reason, by=by, now=now)
        log.info("dead letter discarded", dead_letter_id=id, reason=form.reason, by=by, was_open=done)
        return Discarded(dead_letter_id=id, outcome="discarded" if done else "not_open")

    @api.post("/outbox/replay")
    async def replay_outbox(
        call: Engineer,
        since: AwareDatetime,
        until: AwareDatetime | None = None,
        after: Annotated[str | None, Query(pattern="^[0-9a-f]{24}$")] = None,
        dry_run: bool = True,
    ) -> Refill:
        """Republish events announced in a time span; consumers drop those they have processed.

        Works in parts: call again with the returned `after` until it is null.
        """
        count, reached = await outbox.replay(
            database,
            {"$gte": since} | ({"$lt": until} if until else {}),
            after=ObjectId(after) if after else None,
            now=process.service.clock.now(),
            dry_run=dry_run,
        )
        if not dry_run:
            for lane in LANES:
                database.announced[lane].beat()
        return Refill(documents=count, dry_run=dry_run, after=None if reached is None else str(reached))


def _moving(state: FlowState) -> bool:
    return bool(state.busy or state.outbox_pending or state.lag)


async def _flow(process: Running) -> FlowState:
    """Take what this process has read, then what it still has to do: in this order nothing is missed."""
    service, messaging = process.service, process.messaging
    state = FlowState(service=service.name, now=service.clock.now(), busy=process.busy)
    if state.busy:
        return state
    state.epoch = messaging.epoch_id
    for consumer in messaging.consumers:
        state.consumed |= _by_name(await consumer.positions())
    state.busy = process.busy
    state.outbox_pending = int(await messaging.has_something_to_publish())
    state.lag = sum(consumer.lag() for consumer in messaging.consumers)
    return state


def _by_name(offsets: Mapping[Place, int]) -> dict[str, int]:
    return {f"{topic}/{partition}": offset for (topic, partition), offset in offsets.items()}


async def _announced_by(database: MongoDatabase, type: str, fields: list[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    async for row in database[outbox.COLLECTION].find({"events.type": type}, {"events": 1}):
        for event in row["events"]:
            if event["type"] == type:
                body = orjson.loads(event["body"])
                counts[" ".join(str(body.get(field)) for field in fields)] += 1
    return dict(sorted(counts.items()))


async def _story(process: Running, patient_id: str, call: Call) -> list[StoryEntry]:
    database = process.service.database
    rows: set[Any] = set()
    for collection in process.service.collections:
        async for document in database[collection].find(
            {"patient_id": patient_id, "trail": {"$exists": True}}, {"trail": 1, "clinic_id": 1}
        ):
            if call.caller.sees(document["clinic_id"]):
                rows.update(document["trail"])
    entries = []
    async for row in database[outbox.COLLECTION].find({"_id": {"$in": list(rows)}}):
        for message in outbox.envelopes(row):
            if message.key == patient_id:
                entries.append(
                    StoryEntry(
                        at=message.time,
                        service=message.source,
                        type=message.type,
                        id=message.id,
                        subject=message.subject,
                        sequence=message.sequence,
                        topic=message.topic,
                        causation_id=message.causation_id,
                        correlation_id=message.correlation_id,
                        body=orjson.loads(message.body),
                    )
                )
    return sorted(entries, key=lambda entry: (entry.at, entry.topic, entry.subject, entry.sequence))


def _letter(row: dict[str, Any]) -> DeadLetter:
    return DeadLetter(
        id=row["_id"], **{k: row[k] for k in DeadLetter.model_fields if k in row and k not in HIDDEN}
    )


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="backslashreplace")
