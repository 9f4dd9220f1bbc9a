"""How long a request took: until its answer began, for a page's live line stays open for hours."""

import pytest
from prometheus_client import REGISTRY
from starlette.types import Message, Receive, Scope, Send

from shared.http import context
from shared.http.context import Context

SERVICE = "test-counting"


async def test_an_answer_that_goes_on_for_hours_was_as_quick_as_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now
        now += 0.25
        await send({"type": "http.response.start", "status": 200, "headers": []})
        now += 3600
        await send({"type": "http.response.body", "body": b"goodbye"})

    async def receive() -> Message:
        raise AssertionError("nobody reads here")

    async def send(message: Message) -> None:
        pass

    monkeypatch.setattr(context, "perf_counter", lambda: now)
    scope = {"type": "http", "method": "GET", "path": "/live", "headers": []}
    await Context(live, service=SERVICE)(scope, receive, send)
    labels = {"service": SERVICE, "method": "GET", "route": "-", "status": "200"}
    assert REGISTRY.get_sample_value("kith_http_request_seconds_sum", labels) == 0.25
