"""Outermost: every request gets an id, a log context, a measured answer; no error escapes with content."""

import re
import traceback
import uuid
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.caller import ARRIVAL, Arrival
from shared.http.problems import Problem
from shared.http.routes import METHODS
from shared.metrics import REQUESTS

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
CLIENT_CLOSED_REQUEST = 499
"""Counted for clients that went away before there was an answer; never sent."""


class ClientGone(Exception):
    """Nobody is left to answer."""


class Context:
    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self.app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrival = scope[ARRIVAL] = Arrival(request_id=_request_id(scope))
        answer = _Answer(send, arrival.request_id)
        began = perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=arrival.request_id):
            try:
                await self._answered(scope, receive, answer)
            finally:
                self._count(scope["method"], arrival.route, answer.status, perf_counter() - began)

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer)
        except ClientGone:
            answer.status = CLIENT_CLOSED_REQUEST
        except Problem as problem:
            await problem.response()(scope, receive, answer)
        except Exception as error:
            log.error("request failed", error=type(error).__name__, places=_places(error))
            if not answer.started:
                await unexpected().response()(scope, receive, answer)

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        REQUESTS.labels(self._service, known, route.partition(" ")[2] or "-", str(status)).observe(seconds)


class _Answer:
    """Sends, remembers the status, and adds the headers that every answer carries."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.started = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """The caller's own if it is well-formed, so that a story can be followed across systems."""
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex


def _places(error: BaseException) -> list[str]:
    """Where it went wrong: function names and lines, innermost last; messages may hold what was sent."""
    frames = traceback.walk_tb(error.__traceback__)
    return [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}:{line}"
        for frame, line in list(frames)[-6:]
    ]


def unexpected() -> Problem:
    return Problem(
        500, "unexpected", "Something went wrong here. Tell the engineers the X-Request-ID of this answer."
    )
