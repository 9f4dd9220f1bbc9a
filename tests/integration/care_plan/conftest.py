"""The whole service on a real mongod: its HTTP app, and messages taken in as a consumer would."""

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from services.care_plan import inbound
from services.care_plan.api import routers
from services.care_plan.books import books
from services.care_plan.domain.plan import plan_id_of
from services.care_plan.store import COLLECTIONS, INDEXES, CarePlanWork
from services.care_plan.subscribers import PLANS
from shared.clock import FixedClock
from shared.http import commands
from shared.http.commands import Commands
from shared.messaging import consumption, dead_letters, outbox
from shared.messaging.batch import Group
from shared.messaging.consumption import Consumption
from shared.messaging.envelope import Envelope
from shared.messaging.event import Inbound
from shared.messaging.outbox import envelopes
from shared.mongo import MongoDatabase
from tests.support.http_sample import bearer, client, sample_app
from tests.support.letters import delivered
from tests.support.servers import drop_databases

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
CLINIC = "riverside"

Json = dict[str, Any]

KEPT = [
    *COLLECTIONS,
    *consumption.COLLECTIONS,
    *commands.COLLECTIONS,
    outbox.COLLECTION,
    dead_letters.COLLECTION,
]


@dataclass
class CarePlan:
    """The service as others meet it: over HTTP, and through messages."""

    database: MongoDatabase
    clock: FixedClock
    app: FastAPI
    http: httpx2.AsyncClient
    consumption: Consumption[CarePlanWork]
    _told: dict[tuple[str, str], int] = field(default_factory=dict)
    _appointments: Any = field(default_factory=lambda: itertools.count(1))

    def message(self, fact: Inbound, subject: str, *, sequence: int | None = None) -> Envelope:
        """A fact as its owner's message, the next of its subject."""
        stream = (fact.topic, subject)
        self._told[stream] = sequence or self._told.get(stream, 0) + 1
        return Envelope(
            id=f"{fact.topic}/{subject}/{self._told[stream]}",
            type=type(fact).__name__,
            source="elsewhere",
            subject=subject,
            sequence=self._told[stream],
            time=self.clock.now(),
            topic=fact.topic,
            key=fact.patient_id,
            schema_version=1,
            correlation_id="story",
            causation_id=None,
            body=fact.model_dump_json().encode(),
        )

    async def take(self, *messages: Envelope) -> None:
        await self.consumption.take([delivered(message) for message in messages])

    async def hear(self, fact: Inbound, subject: str) -> None:
        await self.take(self.message(fact, subject))

    def intake(self, referral: str = "ref_1", patient: str = "pat_1", **changes: Any) -> Envelope:
        fact = inbound.IntakeCompleted(
            **{
                "patient_id": patient,
                "clinic_id": CLINIC,
                "referral_id": referral,
                "completed_at": START,
                "variant": "ipt-12",
                "sessions": 12,
                "clinician_id": "cln_r01",
                "phq9_total": 14,
                "gad7_total": 11,
                "maintenance_indications": (),
                **changes,
            }
        )
        return self.message(fact, referral)

    async def alert(
        self,
        state: str,
        alert_id: str = "al_1",
        kind: str = "crisis",
        evidence: str | None = "flg_of_another",
        **more: Any,
    ) -> None:
        about = {"patient_id": "pat_1", "clinic_id": CLINIC, "alert_id": alert_id, "kind": kind}
        led_to_it = {"reason": "crisis_flag", "evidence_id": evidence, **more}
        facts: dict[str, Any] = {
            "raised": lambda: inbound.AlertRaised(**about, **led_to_it),
            "joined": lambda: inbound.AlertJoined(**about, **led_to_it),
            "acknowledged": lambda: inbound.AlertAcknowledged(**about),
            "assessed": lambda: inbound.AlertAssessed(**about),
            "resolved": lambda: inbound.AlertResolved(**about, resolved_at=self.clock.now()),
        }
        await self.hear(facts[state](), alert_id)

    async def start(self, referral: str = "ref_1", patient: str = "pat_1", **changes: Any) -> str:
        """A started plan's id."""
        await self.take(self.intake(referral, patient, **changes))
        return plan_id_of(referral)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """As a clinician of the plan's clinic, unless `Authorization` says otherwise."""
        sent = bearer("clinician", clinic=CLINIC) | headers
        return await self.http.request(method, path, json=body, headers=sent)

    async def done(self, method: str, path: str, body: Any = None) -> Json:
        response = await self.ask(method, path, body)
        assert response.is_success, response.text
        found: Json = response.json()
        return found

    async def attend(self, plan: str, total: int | None = None, item9: int = 0, **more: Any) -> Json:
        """One more attended session, a week later."""
        self.clock.at += timedelta(weeks=1)
        body: Json = {"outcome": "attended", "appointment_id": f"{plan}.a{next(self._appointments)}", **more}
        if total is not None:
            body["phq9"] = {"items": answers(total, item9)}
        return await self.done("POST", f"/plans/{plan}/sessions", body)

    async def prepare(self, plan: str) -> Json:
        """Inventory complete and focus chosen."""
        entries = [{"text": "mother", "rank": 1}, {"text": "new job", "rank": 2}]
        await self.done("PUT", f"/plans/{plan}/inventory", {"entries": entries})
        await self.done("POST", f"/plans/{plan}/inventory/complete")
        return await self.done("PUT", f"/plans/{plan}/focus", {"problem_areas": ["grief"]})

    async def prevent(self, plan: str) -> Json:
        body = {"plan": "call early", "contingency_signs": ["sleepless"]}
        return await self.done("PUT", f"/plans/{plan}/relapse-prevention", body)

    async def end(self, plan: str, total: int = 4) -> Json:
        """The whole course of twelve sessions."""
        await self.prepare(plan)
        await self.prevent(plan)
        for _ in range(11):
            await self.attend(plan)
        return await self.attend(plan, total)

    async def announced(self, topic: str = "care-plan.plans") -> list[str]:
        """Types in the order in which they were announced."""
        return [envelope.type for envelope in await self._envelopes(topic)]

    async def bodies(self, topic: str) -> list[Json]:
        """What was announced, in that order."""
        return [json.loads(envelope.body) for envelope in await self._envelopes(topic)]

    async def _envelopes(self, topic: str) -> list[Envelope]:
        rows = [row async for row in self.database[outbox.COLLECTION].find().sort("_id", 1)]
        return [envelope for row in rows for envelope in envelopes(row) if envelope.topic == topic]

    async def letters(self) -> list[str]:
        return [row["reason"] async for row in self.database["dead_letters"].find()]

    async def books(self) -> dict[str, int]:
        return {f"{entry.kind} {entry.column}": entry.count for entry in await books(self.database)}


def answers(total: int, item9: int = 0) -> list[int]:
    """Nine answers to the PHQ-9 that sum up to `total`."""
    rest = total - item9
    return [*(min(3, max(0, rest - 3 * place)) for place in range(8)), item9]


@pytest.fixture(scope="session")
async def care_plan_database(mongodb_uri: str) -> AsyncIterator[MongoDatabase]:
    """One database for these tests: its collections and indexes are what takes time."""
    name = f"t{uuid.uuid4().hex[:12]}_care_plan"
    database = MongoDatabase(mongodb_uri, name)
    await database.ensure_collections(KEPT)
    await database.ensure_indexes([*INDEXES, *consumption.INDEXES, *outbox.INDEXES])
    yield database
    await database.close()
    await drop_databases(mongodb_uri, name)


@pytest.fixture
async def care_plan(care_plan_database: MongoDatabase) -> AsyncIterator[CarePlan]:
    database, clock = care_plan_database, FixedClock(START)
    await asyncio.gather(*(database[name].delete_many({}) for name in KEPT))

    def open_work() -> CarePlanWork:
        return CarePlanWork(database, now=clock.now())

    group = Group(
        service="care_plan",
        name="care_plan.plans",
        database=database,
        reactions=PLANS,
        open_work=open_work,
    )
    app = sample_app(routers=routers(Commands(database, open_work)))
    async with client(app) as http:
        yield CarePlan(database, clock, app, http, Consumption(group))
