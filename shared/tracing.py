"""Traces that follow one person's story across services; off unless KITH_OTLP_ENDPOINT is set.

A trace is propagated as a W3C `traceparent`: between services in HTTP headers, in the outbox and in the
headers of events (CloudEvents' distributed tracing extension). Only sampled traces are propagated, so that
others cost nothing. Spans carry ids, codes, routes and class names.
"""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from time import time_ns
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from shared.messaging.envelope import Envelope
    from shared.settings import Settings

Kind = Literal["server", "producer", "consumer", "client"]
Attributes = Mapping[str, str | int]

SAMPLED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")
"""A traceparent of a trace that is being recorded (W3C Trace Context, version 00)."""

_here: ContextVar[str | None] = ContextVar("traceparent", default=None)


class Span(Protocol):
    """A piece of work in progress. `traceparent` is what it propagates."""

    traceparent: str

    def say(self, attributes: Attributes, *, name: str | None = None) -> None: ...
    def fail(self, code: str) -> None: ...
    def end(self) -> None: ...


class Tracer(Protocol):
    def begin(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes, since: int | None
    ) -> Span | None: ...
    def shut_down(self) -> None: ...


class _Process:
    tracer: Tracer | None = None


def configure(settings: "Settings", service: str) -> None:
    """Record and export from now on, if the settings ask for it."""
    if settings.otlp_endpoint:
        from shared import otlp  # noqa: PLC0415 (0.2 s and 15 MB, only if enabled)

        _Process.tracer = otlp.Exporting(settings, service)


def shut_down() -> None:
    """Export what has ended; waits for two seconds at most."""
    if _Process.tracer is not None:
        _Process.tracer.shut_down()
        _Process.tracer = None


def is_on() -> bool:
    return _Process.tracer is not None


def sampled(traceparent: str | None) -> str | None:
    """Return the traceparent if it is well-formed and its trace is recorded, else `None`."""
    return traceparent if traceparent is not None and SAMPLED.fullmatch(traceparent) else None


def trace_id(traceparent: str) -> str:
    return traceparent[3:35]


def exemplar(traceparent: str | None) -> dict[str, str] | None:
    """Return the label that links a measured value to its trace."""
    return None if traceparent is None else {"trace_id": trace_id(traceparent)}


def here() -> str | None:
    """Return the traceparent of the current request, if its trace is recorded."""
    return _here.get()


def request(offered: str | None) -> Span | None:
    """Begin a server span, in the caller's trace or a new one; `None` when it is not recorded."""
    tracer = _Process.tracer
    return None if tracer is None else tracer.begin("HTTP", "server", sampled(offered), {}, None)


def standing_in(span: Span) -> Any:
    """Make `here` return this span's traceparent. Pass the returned token to `leave`."""
    return _here.set(span.traceparent)


def leave(token: Any) -> None:
    _here.reset(token)


def within(traceparent: str | None, name: str, kind: Kind, attributes: Attributes) -> Span | None:
    """Begin a span in a trace that is recorded; `None` outside of one."""
    tracer = _Process.tracer
    if tracer is None or traceparent is None:
        return None
    return tracer.begin(name, kind, traceparent, attributes, None)


def effect(message: "Envelope", group: str) -> Span | None:
    """Begin the span of one message's effect, from the reaction to the commit of its batch."""
    about = {**_about(message), "messaging.consumer.group.name": group}
    return within(message.traceparent, f"process {message.type}", "consumer", about)


def published(messages: "Iterable[Envelope]", since: int) -> None:
    """Record spans of messages that the broker acknowledged. `since`: nanoseconds since 1970."""
    tracer = _Process.tracer
    if tracer is None:
        return
    for message in messages:
        if message.traceparent is None:
            continue
        name = f"publish {message.type}"
        span = tracer.begin(name, "producer", message.traceparent, _about(message), since)
        if span is not None:
            span.end()


def now_ns() -> int:
    """Return nanoseconds since 1970 by the wall clock: spans use real time even with a stepped clock."""
    return time_ns()


def _about(message: "Envelope") -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": message.topic,
        "messaging.message.id": message.id,
        "kith.correlation_id": message.correlation_id,
        "kith.sequence": message.sequence,
    }
