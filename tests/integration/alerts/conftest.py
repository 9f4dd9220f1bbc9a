"""Alerts as it is shipped, on a real database, with a clock in the test's hand."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from services.alerts.app import build
from services.alerts.deliveries import Deliveries
from services.alerts.settings import AlertsSettings
from services.intake.events import CrisisFlagRaised
from shared.auth import mint, new_development_key, public_jwks
from shared.clock import step
from shared.http import commands
from shared.messaging import consumption, lease, outbox
from shared.messaging.envelope import Cause, Record, seal
from shared.messaging.event import Event
from shared.mongo import MongoDatabase
from shared.process import Process
from shared.service import Service
from tests.support.letters import delivered
from tests.unit.alerts.cases import CLINIC, MONDAY, SHIPPED
from tests.unit.alerts.test_policy import SECRET

KEY = new_development_key()
Contacts = list[dict[str, Any]]


def person(id: str, *roles: str, **channels: str) -> dict[str, Any]:
    addresses = [{"kind": kind, "to": to} for kind, to in channels.items()]
    return {"id": id, "subject": f"sub_{id}", "roles": list(roles), "channels": addresses}


@dataclass
class Alerts:
    """The service under test: what it hears, what time it is, what it wrote."""

    service: Service
    clock: Path
    now: datetime = MONDAY
    sequences: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.process = Process(self.service)
        self.app: FastAPI = self.process.app()

    @property
    def database(self) -> MongoDatabase:
        return self.service.database

    @property
    def deliveries(self) -> Deliveries:
        found = [ticker for ticker in self.service.tickers if isinstance(ticker, Deliveries)]
        return found[0]

    def record(self, event: Event, subject: str, topic: str | None = None, **changes: object) -> Record:
        """The event as it comes from Kafka: next in its subject's sequence."""
        stream = f"{topic or event.topic}|{subject}"
        self.sequences[stream] = self.sequences.get(stream, 0) + 1
        sealed = seal(
            event,
            source="test",
            subject=subject,
            sequence=self.sequences[stream],
            now=self.now,
            cause=Cause("test"),
            topic=topic,
        )
        return delivered(sealed, **changes)

    async def take(self, *records: Record) -> None:
        crisis = records[0].topic.endswith("crisis-flags")
        consumers = {c.name: c.consumption for c in self.process.messaging.consumers}
        await consumers["crisis" if crisis else "work"].take(list(records))

    async def flag(self, severity: str = "high", patient: str = "pat_1", **changes: Any) -> Record:
        record = self.record(flag_of(severity, patient, **changes), f"ref_{patient}")
        await self.take(record)
        return record

    def at(self, now: datetime) -> None:
        self.now = now
        step(self.clock, now)

    async def later(self, **ahead: float) -> None:
        """Move the clock and let everything that is due happen."""
        self.at(self.now + timedelta(**ahead))
        await self.settle()

    async def settle(self) -> None:
        """Tick until nothing is due at the present moment."""
        while True:
            done = sum([await ticker.tick(self.now) for ticker in self.service.tickers])
            await self.deliveries.idle()
            if not done:
                return

    async def stored(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        return [row async for row in self.database[collection].find(query).sort("created_at", 1)]

    async def outward(self) -> list[tuple[str, str, str, str | None]]:
        """What became of everything but inboxes: contact, channel, state, reason."""
        rows = [row for row in await self.stored("deliveries") if row["channel"] != "inbox"]
        return [(row["contact_id"], row["channel"], row["state"], row["reason"]) for row in rows]

    async def alert(self, **query: Any) -> dict[str, Any]:
        (found,) = await self.stored("alerts", **query)
        return found

    async def announced(self, *types: str) -> list[dict[str, Any]]:
        """Events in the outbox in order, with their type."""
        rows = [row async for row in self.database[outbox.COLLECTION].find().sort("_id", 1)]
        events = [event for row in rows for event in outbox.envelopes(row)]
        return [{"type": e.type, **orjson.loads(e.body)} for e in events if not types or e.type in types]

    async def books(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for entry in await self.service.books():
            found.setdefault(entry.kind, {})[entry.column] = entry.count
        return found

    def as_(self, role: str = "clinician", subject: str = "cln_r01", clinic: str = CLINIC) -> "Client":
        token = mint(KEY, subject=subject, roles=[role], clinic=clinic)
        return Client(
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(self.app),
                base_url="http://alerts",
                headers={"Authorization": f"Bearer {token}"},
            )
        )


@dataclass
class Client:
    http: httpx2.AsyncClient

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.http.get(path, params=query)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.http.post(path, json=body, headers=headers)

    async def do(self, alert_id: str, what: str, body: Any = None) -> dict[str, Any]:
        """An action on an alert that must succeed."""
        answer = await self.post(f"/alerts/{alert_id}/{what}", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def flag_of(severity: str = "high", patient: str = "pat_1", **changes: Any) -> CrisisFlagRaised:
    facts: dict[str, Any] = {
        "patient_id": patient,
        "clinic_id": CLINIC,
        "flag_id": "flg_1",
        "referral_id": f"ref_{patient}",
        "severity": severity,
        "evidence": ("cssrs_high",),
        "clinician_id": None,
        "raised_at": MONDAY,
    }
    return CrisisFlagRaised.model_validate(facts | changes)


DISPOSITION = {
    "disposition": "managed_with_safety_plan",
    "safety_plan": True,
    "next_contact": "2026-03-03T15:00:00Z",
}
ASSESSMENT = {"result": "managed_with_safety_plan", "contact_made": True}

MakeAlerts = Callable[..., Any]


@pytest.fixture
async def make_alerts(mongodb_uri: str, database_name: str, tmp_path: Path) -> AsyncIterator[MakeAlerts]:
    """Build alerts with these people at the clinic (the shipped ones by default) and settings."""
    made: list[Service] = []

    async def make(contacts: Contacts | None = None, **changes: Any) -> Alerts:
        policy = json.loads(SHIPPED.read_text())
        if contacts is not None:
            policy["clinics"][CLINIC] = contacts
        (tmp_path / "on_call.json").write_text(json.dumps(policy))
        (tmp_path / "jwks.json").write_text(json.dumps(public_jwks(KEY)))
        step(tmp_path / "clock", MONDAY)
        defaults: dict[str, Any] = {
            "environment": "development",
            "mongodb": mongodb_uri,
            "database_prefix": database_name,
            "jwks": str(tmp_path / "jwks.json"),
            "clock_file": tmp_path / "clock",
            "on_call_file": tmp_path / "on_call.json",
            "public_url": "https://kith.example",
            "webhook_secret": SECRET,
            "allow_private_webhooks": True,
        }
        service = build(AlertsSettings(**defaults | changes))
        made.append(service)
        database = service.database
        await database.ensure_collections(
            [*service.collections, *consumption.COLLECTIONS, *commands.COLLECTIONS]
        )
        await database.ensure_collections([outbox.COLLECTION, lease.COLLECTION])
        await database.ensure_indexes(
            [*service.indexes, *consumption.INDEXES, *outbox.INDEXES, *commands.INDEXES]
        )
        return Alerts(service, tmp_path / "clock")

    yield make
    for service in made:
        await service.database.close()


@pytest.fixture
async def alerts(make_alerts: MakeAlerts) -> Alerts:
    built: Alerts = await make_alerts()
    return built
