"""Raises crises and receives their pages, timing each from the accepted request to the attempt."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.topics import Shortfall
from benchmarks.whole.clinics import clinicians
from benchmarks.whole.referrals import form
from benchmarks.whole.stack import RunningStack
from deploy.embedded.ports import LOOPBACK, free_ports

PATIENCE = 60.0


@dataclass
class Telephone:
    """Receives webhooks. `rang`: alert → time of its first page."""

    port: int = field(default_factory=lambda: free_ports(1))
    rang: dict[str, float] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/page"

    @staticmethod
    def settings() -> dict[str, str]:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        return {"alerts.webhook_secret": secret, "alerts.allow_private_webhooks": "true"}

    async def receive(self, request: Request) -> Response:
        at = perf_counter()
        for alert in (await request.json())["alert_ids"]:
            if alert not in self.rang:
                self.rang[alert] = at
                self._news.set()
        return Response(status_code=204)

    async def next(self, known: int) -> float:
        """Wait for the page after the `known`-th and return its time. Raises `Shortfall`."""
        try:
            async with asyncio.timeout(PATIENCE):
                while len(self.rang) <= known:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise Shortfall(f"a crisis was not paged within {PATIENCE:g} s") from None
        return list(self.rang.values())[known]

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        app = Starlette(routes=[Route("/page", self.receive, methods=["POST"])])
        config = uvicorn.Config(app, host=LOOPBACK, port=self.port, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve())  # `serve` would install signal handlers over ours
        try:
            yield
        finally:
            server.should_exit = True
            await serving


@dataclass
class Crises:
    """Raises crises one after the other, each in its own referral."""

    stack: RunningStack
    client: httpx2.AsyncClient
    telephone: Telephone
    patients: list[str] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    """Milliseconds until each request was accepted."""

    async def page(self) -> float:
        """Raise a crisis; return milliseconds from the referral's acceptance to the attempt to page."""
        staff = list(clinicians(self.stack.capacity))
        number = len(self.patients) + 1
        body = form(number, *staff[number % len(staff)], crisis=True)
        begun = perf_counter()
        answer = await self.client.post(f"{self.stack.url('intake')}/referrals", json=body)
        accepted = perf_counter()
        if answer.status_code != httpx2.codes.CREATED:
            raise Shortfall(f"a crisis was answered {answer.status_code}: {answer.text[:200]}")
        self.answered.append((accepted - begun) * 1000)
        self.patients.append(answer.json()["patient_id"])
        return (await self.telephone.next(number - 1) - accepted) * 1000

    async def verify(self) -> None:
        """Check that each crisis has one alert and a page, and nothing else has. Raises `Shortfall`."""
        async with self.stack.database("alerts") as database:
            rows = await database["alerts"].find({"kind": "crisis"}, {"patient_id": 1}).to_list(None)
        alerts = {row["_id"]: row["patient_id"] for row in rows}
        paged = [alerts.get(alert) for alert in self.telephone.rang]
        if sorted(str(p) for p in paged) != sorted(self.patients) or len(rows) != len(self.patients):
            raise Shortfall(f"{len(self.patients)} crises, {len(rows)} alerts, {len(paged)} pages")


@asynccontextmanager
async def crises(stack: RunningStack, telephone: Telephone) -> AsyncIterator[Crises]:
    async with telephone.answering(), stack.client("coordinator") as client:
        yield Crises(stack, client, telephone)
