"""Real far ends: a web server that verifies signatures, answers badly or hangs, and a mail server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook

from tests.support.http_wire import serving
from tests.unit.alerts.test_policy import SECRET


@dataclass
class Hook:
    """What came, and how to answer the n-th call: a status, or `hang`."""

    answers: list[int | str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    verified: list[Any] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    url: str = ""
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.bodies.append(body)
        self.paths.add(request.url.path)
        self.ids.append(request.headers["webhook-id"])
        self.verified.append(Webhook(SECRET).verify(body, dict(request.headers)))
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "hang":
            await self._over.wait()
        status = answer if isinstance(answer, int) else 200
        return Response(status_code=status, headers={"location": "/elsewhere"} if status == 302 else {})

    def let_go(self) -> None:
        self._over.set()


@asynccontextmanager
async def hook(*answers: int | str) -> AsyncIterator[Hook]:
    taken = Hook(list(answers))
    app = FastAPI()
    app.add_api_route("/{path:path}", taken.take, methods=["GET", "POST"])
    async with serving(app) as port:
        taken.url = f"http://127.0.0.1:{port}/hook"
        try:
            yield taken
        finally:
            taken.let_go()


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/hook"


@dataclass
class Mailbox:
    """`refuse`: how to answer a recipient, by address."""

    mails: list[Message] = field(default_factory=list)
    refuse: dict[str, list[str]] = field(default_factory=dict)
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refuse.get(address):
            return self.refuse[address].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


def refusing(answer: str) -> Any:
    """Whoever signs in is answered so."""

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=False, handled=False, message=answer)

    return authenticate


@asynccontextmanager
async def mailbox(*, sign_in: str | None = None) -> AsyncIterator[Mailbox]:
    """`sign_in`: asks for credentials, and answers so to whatever is given."""
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        box.port = probe.getsockname()[1]
    asking: dict[str, Any] = {}
    if sign_in is not None:
        asking = {"auth_required": True, "auth_require_tls": False, "authenticator": refusing(sign_in)}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **asking)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
