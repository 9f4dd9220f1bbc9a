"""The whole scheduler on a real mongod: its HTTP app, messages taken in as a consumer would, its tickers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson
import pytest

from services.scheduler import bookings, inbound
from services.scheduler.api import routers
from services.scheduler.books import books
from services.scheduler.share import Share
from services.scheduler.store import COLLECTIONS, INDEXES, SCHEDULES, SchedulerWork
from services.scheduler.subscribers import PLANS
from services.scheduler.tickers import Announcing, Rechecking
from shared.clock import FixedClock
from shared.http import commands
from shared.http.commands import Commands
from shared.messaging import consumption, dead_letters, outbox
from shared.messaging.batch import Group
from shared.messaging.consumption import Consumption
from shared.messaging.envelope import Envelope
from shared.messaging.event import Inbound
from shared.messaging.outbox import envelopes
from shared.messaging.reactions import Reactions
from shared.mongo import MongoDatabase
from tests.support.http_sample import bearer, client, sample_app
from tests.support.letters import delivered
from tests.support.servers import drop_databases
from tests.unit.scheduler.builders import clinic, clinics

START = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
"""Monday 10:30 in New York."""

MORNING = datetime(2026, 3, 3, 13, tzinfo=UTC)
"""Tuesday 08:00 in New York: what is due of the day's sessions."""

CLINICS = clinics(clinic(), clinic("lakeside", "America/Chicago", clinicians=[{"id": "cln_l01"}]))

KEPT = [
    *COLLECTIONS,
    *consumption.COLLECTIONS,
    *commands.COLLECTIONS,
    outbox.COLLECTION,
    dead_letters.COLLECTION,
]


@dataclass
class Scheduler:
    """The service as others meet it: over HTTP, through messages and through the clock."""

    database: MongoDatabase
    clock: FixedClock
    http: httpx2.AsyncClient
    consumption: Consumption[SchedulerWork]
    _told: dict[str, int] = field(default_factory=dict)

    def work(self, now: datetime | None = None) -> SchedulerWork:
        return SchedulerWork(self.database, CLINICS, now=now or self.clock.now())

    def ticker(self, instance: str = "one", database: MongoDatabase | None = None) -> Announcing:
        database = database or self.database
        return Announcing(
            database, lambda now: SchedulerWork(database, CLINICS, now=now), Share(database, instance)
        )

    def rechecking(self) -> Rechecking:
        return Rechecking(self.database, self.work)

    def message(self, fact: Inbound, plan: str) -> Envelope:
        """A fact as care_plan's message, the next of its plan."""
        self._told[plan] = self._told.get(plan, 0) + 1
        return Envelope(
            id=f"{plan}/{self._told[plan]}",
            type=type(fact).__name__,
            source="care_plan",
            subject=plan,
            sequence=self._told[plan],
            time=self.clock.now(),
            topic=fact.topic,
            key=fact.patient_id,
            schema_version=1,
            correlation_id=f"story-{plan}",
            causation_id=None,
            body=fact.model_dump_json().encode(),
        )

    async def take(self, *facts: inbound.PlanFact) -> None:
        await self.consumption.take([delivered(self.message(fact, fact.plan_id)) for fact in facts])

    async def set_aside(self, fact: inbound.PlanFact) -> None:
        """Take a fact in with a version of us that cannot: a dead letter, for the present one to replay."""
        group = replace(self.consumption.group, reactions=Reactions({type(fact): _cannot}))
        await Consumption(group).take([delivered(self.message(fact, fact.plan_id))])

    async def replay_all(self, *, backwards: bool = False) -> list[str]:
        """What becomes of every open letter, in the order in which they were set aside or against it."""
        order = [("at", -1), ("offset", -1)] if backwards else [("at", 1), ("offset", 1)]
        rows = self.database[dead_letters.COLLECTION].find({"state": "open"}, sort=order)
        return [await self.consumption.replay(row) for row in await rows.to_list(None)]

    async def open_letters(self) -> list[str]:
        rows = self.database[dead_letters.COLLECTION].find({"state": "open"}, sort=[("offset", 1)])
        return [row["reason"] async for row in rows]

    async def start(self, *plans: str, **changes: Any) -> None:
        await self.take(*(started(plan, self.clock.now(), **changes) for plan in plans))

    async def tick(self, now: datetime, ticker: Announcing | None = None) -> int:
        """Tick until nothing is left."""
        self.clock.at, done = now, 0
        ticker = ticker or self.ticker()
        while fired := await ticker.tick(now):
            done += fired
        return done

    async def schedule(self, plan: str) -> dict[str, Any]:
        row: dict[str, Any] = await self.database[SCHEDULES].find_one({"_id": plan})
        return row

    async def slots(self) -> list[str]:
        return sorted([row["_id"] async for row in self.database[bookings.COLLECTION].find()])

    async def announced(self) -> list[Envelope]:
        rows = [row async for row in self.database[outbox.COLLECTION].find().sort("_id", 1)]
        return [envelope for row in rows for envelope in envelopes(row)]

    async def types(self) -> list[str]:
        return [envelope.type for envelope in await self.announced()]

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """As a coordinator of Riverside, unless `Authorization` says otherwise."""
        sent = bearer("coordinator", clinic="riverside") | headers
        return await self.http.request(method, path, json=body, headers=sent)

    async def books(self) -> dict[str, int]:
        entries = await books(self.database, self.clock.now())
        return {f"{entry.kind} {entry.column}": entry.count for entry in entries}


def _cannot(_fact: Inbound, _work: SchedulerWork) -> None:
    raise RuntimeError


def body(envelope: Envelope) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(envelope.body)
    return read


def about(plan: str, clinic_id: str = "riverside") -> dict[str, Any]:
    return {"patient_id": f"pat_{plan}", "clinic_id": clinic_id, "plan_id": plan}


def started(plan: str, at: datetime, **changes: Any) -> inbound.CarePlanStarted:
    facts: dict[str, Any] = {
        **about(plan),
        "clinician_id": "cln_r01",
        "sessions": 12,
        "termination_sessions": 3,
        "started_at": at,
    }
    return inbound.CarePlanStarted(**facts | changes)


def attended(plan: str, number: int, count: int, sessions: int = 12) -> inbound.SessionAttended:
    return inbound.SessionAttended(
        **about(plan), appointment_id=f"{plan}.a{number}", attended=count, sessions=sessions, phase="middle"
    )


def plans(count: int) -> Sequence[str]:
    return [f"plan_{number:03}" for number in range(count)]


def weeks(count: float) -> timedelta:
    return timedelta(weeks=count)


@pytest.fixture(scope="session")
async def scheduler_database(mongodb_uri: str) -> AsyncIterator[MongoDatabase]:
    """One database for these tests: its collections and indexes are what takes time."""
    name = f"t{uuid.uuid4().hex[:12]}_scheduler"
    database = MongoDatabase(mongodb_uri, name)
    await database.ensure_collections(KEPT)
    await database.ensure_indexes([*INDEXES, *consumption.INDEXES, *outbox.INDEXES])
    yield database
    await database.close()
    await drop_databases(mongodb_uri, name)


@pytest.fixture
async def another_connection(
    mongodb_uri: str, scheduler_database: MongoDatabase
) -> AsyncIterator[MongoDatabase]:
    """What a second replica of the service has: a client of its own."""
    database = MongoDatabase(mongodb_uri, scheduler_database.name)
    yield database
    await database.close()


@pytest.fixture
async def scheduler(scheduler_database: MongoDatabase) -> AsyncIterator[Scheduler]:
    database, clock = scheduler_database, FixedClock(START)
    await asyncio.gather(*(database[name].delete_many({}) for name in KEPT))

    def open_work() -> SchedulerWork:
        return SchedulerWork(database, CLINICS, now=clock.now())

    group = Group(
        service="scheduler",
        name="scheduler.plans",
        database=database,
        reactions=PLANS,
        open_work=open_work,
    )
    app = sample_app(routers=routers(Commands(database, open_work), CLINICS))
    async with client(app) as http:
        yield Scheduler(database, clock, http, Consumption(group))
