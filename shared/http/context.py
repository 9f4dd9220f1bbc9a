"""Outermost middleware: request id, log context and metrics; answers errors without their content."""

import re
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import tracing
from shared.http.caller import ARRIVAL, Arrival
from shared.http.problems import Problem
from shared.http.routes import METHODS
from shared.metrics import IN_FLIGHT, REQUESTS

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
CLIENT_CLOSED_REQUEST = 499
"""Counted for clients that disconnected before there was an answer; never sent."""


class ClientGone(Exception):
    """The client disconnected before its body was complete."""


class Context:
    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self.app = app
        self._service = service
        self._in_flight = IN_FLIGHT.labels(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrival = scope[ARRIVAL] = Arrival(request_id=_request_id(scope))
        answer = _Answer(send, arrival.request_id)
        began = perf_counter()
        self._in_flight.inc()
        span = tracing.request(Headers(scope=scope).get("traceparent")) if tracing.is_on() else None
        with structlog.contextvars.bound_contextvars(request_id=arrival.request_id), _traced(span):
            try:
                await self._answered(scope, receive, answer)
            finally:
                self._in_flight.dec()
                self._count(
                    scope["method"], arrival.route, answer.status, (answer.began or perf_counter()) - began
                )
                if span is not None:
                    _end(span, arrival, answer.status)

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer)
        except ClientGone:
            answer.status = CLIENT_CLOSED_REQUEST
        except Problem as problem:
            await problem.response()(scope, receive, answer)
        except Exception as error:
            log.error("request failed", error=type(error).__name__, places=_places(error))
            if answer.began is None:
                await unexpected().response()(scope, receive, answer)

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        counted = REQUESTS.labels(self._service, known, route.partition(" ")[2] or "-", str(status))
        counted.observe(seconds, tracing.exemplar(tracing.here()))


class _Answer:
    """Sends a response, records its status, and adds the headers common to all responses."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.began: float | None = None
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began, self.status = perf_counter(), message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


@contextmanager
def _traced(span: tracing.Span | None) -> Iterator[None]:
    """Attach this span's trace to events, log lines and measured values within the context."""
    if span is None:
        yield
        return
    token = tracing.standing_in(span)
    try:
        with structlog.contextvars.bound_contextvars(trace_id=tracing.trace_id(span.traceparent)):
            yield
    finally:
        tracing.leave(token)


def _end(span: tracing.Span, arrival: Arrival, status: int) -> None:
    """End a span. It gets the route's template, never the address, which may hold anything."""
    method, _, route = arrival.route.partition(" ")
    span.say(
        {
            "http.request.method": method if route else "other",
            "http.route": route or "-",
            "http.response.status_code": status,
            "kith.correlation_id": arrival.request_id,
        },
        name=arrival.route if route else "HTTP",
    )
    if status >= 500:
        span.fail(str(status))
    span.end()


def _request_id(scope: Scope) -> str:
    """Return the caller's id if it is well-formed, to correlate across systems; else a new one."""
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex


def _places(error: BaseException) -> list[str]:
    """Return functions and lines of an error, innermost last; its message may hold request content."""
    frames = traceback.walk_tb(error.__traceback__)
    return [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}:{line}"
        for frame, line in list(frames)[-6:]
    ]


def unexpected() -> Problem:
    return Problem(
        500, "unexpected", "Something went wrong here. Tell the engineers the X-Request-ID of this answer."
    )
