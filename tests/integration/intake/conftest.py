"""Intake behind its real HTTP edge, on a real database, with tokens of every role."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from services.intake.app import build
from shared.auth import mint, new_development_key, public_jwks
from shared.clock import step
from shared.http import commands
from shared.messaging import outbox
from shared.mongo import MongoDatabase
from shared.process import Process
from shared.service import Service
from shared.settings import Settings

KEY = new_development_key()
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
CLINICS = {
    "version": "test",
    "clinics": [
        {"id": "riverside", "clinicians": [{"id": "cln_r01"}, {"id": "cln_r02"}]},
        {"id": "lakeside", "clinicians": [{"id": "cln_l01"}]},
    ],
}


@dataclass(frozen=True)
class Intake:
    """The service under test and what it wrote."""

    service: Service
    app: FastAPI

    def as_(self, role: str, clinic: str = "riverside", subject: str = "somebody") -> httpx2.AsyncClient:
        """A client that calls in this role."""
        token = mint(KEY, subject=subject, roles=[role], clinic=clinic)
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://intake",
            headers={"Authorization": f"Bearer {token}"},
        )

    @property
    def database(self) -> MongoDatabase:
        return self.service.database

    async def announced(self, type: str | None = None) -> list[dict[str, Any]]:
        """Events in the outbox, in order: their bodies, with `type` beside them."""
        rows = [row async for row in self.database[outbox.COLLECTION].find().sort("_id", 1)]
        events = [event for row in rows for event in outbox.envelopes(row)]
        return [
            {"type": event.type, **orjson.loads(event.body)} for event in events if type in (None, event.type)
        ]

    async def everything_stored_and_announced(self) -> str:
        """All of it as text, people apart: no name may be in here."""
        texts = []
        for name in await self.database.db.list_collection_names():
            if name != "people":
                texts += [str(row) async for row in self.database[name].find()]
        return "\n".join(texts)


@pytest.fixture
async def intake(mongodb_uri: str, database_name: str, tmp_path: Path) -> AsyncIterator[Intake]:
    (tmp_path / "jwks.json").write_text(json.dumps(public_jwks(KEY)))
    (tmp_path / "clinics.json").write_text(json.dumps(CLINICS))
    step(tmp_path / "clock", NOW)
    service = build(
        Settings(
            environment="development",
            mongodb=mongodb_uri,
            database_prefix=database_name,
            jwks=str(tmp_path / "jwks.json"),
            clock_file=tmp_path / "clock",
            clinics_file=tmp_path / "clinics.json",
        )
    )
    await service.database.ensure_collections(
        [*service.collections, outbox.COLLECTION, *commands.COLLECTIONS, "dead_letters"]
    )
    await service.database.ensure_indexes([*service.indexes, *outbox.INDEXES, *commands.INDEXES])
    yield Intake(service, Process(service).app())
    await service.database.close()
