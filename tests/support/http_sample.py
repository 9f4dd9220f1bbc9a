"""A small service behind the real HTTP edge: notebooks with numbered entries, kept in memory."""

import json
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Path
from pydantic import BaseModel, Field
from starlette.requests import Request

from shared.auth import Verifier, mint, new_development_key, public_jwks
from shared.errors import Refused
from shared.http.app import create_app
from shared.http.caller import Call
from shared.http.guard import call_for, if_match
from shared.http.models import AwareDatetime, OpaqueId, Strict
from shared.http.paging import Cursor, Page, PageLimit, decode_cursor, encode_cursor

KEY = new_development_key()
HERE = "clinic-here"


class Entry(Strict):
    id: OpaqueId
    score: int = Field(ge=0, le=3)
    steps: int = 0
    at: AwareDatetime
    born: date | None = None
    title: str = Field(default="", max_length=50)


class Note(BaseModel):
    id: str
    version: int
    title: str


class Storage:
    """Storage that a test can make fail."""

    def __init__(self) -> None:
        self.failing: Exception | None = None


def token(*roles: str, clinic: str = HERE, **claims: Any) -> str:
    return mint(KEY, **{"subject": "somebody", "roles": roles or ("clinician",), "clinic": clinic} | claims)


def bearer(*roles: str, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(*roles, **claims)}"}


def verifier(**options: Any) -> Verifier:
    async def fetch() -> bytes:
        return json.dumps(public_jwks(KEY)).encode()

    defaults: dict[str, Any] = {"issuer": "kith", "audience": "kith", "development": True}
    return Verifier(fetch, **defaults | options)


def routers(storage: Storage) -> list[APIRouter]:
    notes = APIRouter(tags=["notes"])
    carer = Annotated[Call, Depends(call_for("clinician", "coordinator"))]
    engineer = Annotated[Call, Depends(call_for("engineer"))]

    @notes.post("/entries", status_code=201)
    async def add_entry(entry: Entry, call: carer) -> Note:
        return Note(id=entry.id, version=1, title=entry.title)

    @notes.get("/entries")
    async def list_entries(call: carer, limit: PageLimit = 50, cursor: Cursor = None) -> Page[Note]:
        after = int(decode_cursor(cursor) or 0)
        items = [Note(id=str(n), version=1, title="") for n in range(after + 1, min(after + limit, 5) + 1)]
        more = after + limit < 5
        return Page(items=items, next=encode_cursor(items[-1].id) if more else None)

    @notes.get("/entries/{id}")
    async def read_entry(id: Annotated[OpaqueId, Path()], call: carer) -> Note:
        call.caller.require_clinic(HERE, "entries", id)
        return Note(id=id, version=7, title="")

    @notes.put("/entries/{id}")
    async def change_entry(id: OpaqueId, entry: Entry, call: carer) -> Note:
        if_match(call, 7)
        return Note(id=id, version=8, title=entry.title)

    @notes.post("/entries/{id}/close")
    async def close_entry(id: OpaqueId, call: carer) -> None:
        raise Refused("entry_already_closed", closed_for_days=3)

    @notes.get("/failing")
    async def failing(call: carer) -> None:
        assert storage.failing is not None
        raise storage.failing

    @notes.get("/engine")
    async def engine(call: engineer) -> None: ...

    @notes.get("/forgotten")
    async def forgotten() -> None:
        """A route whose author forgot `call_for`."""

    @notes.post("/alarm", tags=["crisis"])
    async def alarm(call: carer) -> None: ...

    lines: dict[str, Any] = {"requestBody": {"content": {"application/x-ndjson": {"schema": {}}}}}

    @notes.post("/lines", openapi_extra={**lines, "x-max-body-bytes": 1_000_000})
    async def add_lines(request: Request, call: carer) -> int:
        return len((await request.body()).splitlines())

    return [notes]


async def _ready() -> dict[str, bool]:
    return {"database": True, "broker": True}


def sample_app(storage: Storage | None = None, **options: Any) -> FastAPI:
    readiness: Callable[[], Awaitable[dict[str, bool]]] = _ready
    defaults: dict[str, Any] = {
        "service": "sample",
        "title": "Sample",
        "version": "1",
        "routers": routers(storage or Storage()),
        "verifier": verifier(),
        "readiness": readiness,
        "liveness": lambda: True,
        "asyncapi": lambda: {"asyncapi": "3.0.0"},
    }
    return create_app(**defaults | options)


def client(app: FastAPI, headers: dict[str, str] | None = None) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url="http://sample", headers=headers)


ENTRY: dict[str, Any] = {"id": "e1", "score": 2, "at": "2026-03-02T15:00:00+01:00"}
