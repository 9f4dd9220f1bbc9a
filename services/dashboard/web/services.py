"""Requests from pages to the other services, always with the viewer's own token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from services.dashboard.web.viewer import Viewer
from shared import tracing

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """A service's response. `problem`: the refusal as problem details, also for no response (status 0)."""

    status: int
    body: Any
    version: int | None = None
    """The document's version, for the next If-Match."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_certain(self) -> bool:
        """True if the outcome of a command is known: without a response, or after a server error, it may
        have been carried out."""
        return 0 < self.status < 500

    @property
    def problem(self) -> Mapping[str, Any] | None:
        return None if self.ok else self.body


class Services:
    """Client for the other services. One HTTP client is shared and opened at the first request."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._client: httpx2.AsyncClient | None = None

    async def get(self, viewer: Viewer, service: str, path: str, **query: Any) -> Answer:
        known = {name: value for name, value in query.items() if value is not None}
        return await self._ask(viewer, "GET", service, path, params=known)

    async def send(
        self,
        viewer: Viewer,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> Answer:
        """`key`: Idempotency-Key, so that a command sent twice takes effect once; `version`: If-Match."""
        headers = {"Idempotency-Key": key} if key else {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self._ask(viewer, method, service, path, json=body, headers=headers)

    async def _ask(self, viewer: Viewer, method: str, service: str, path: str, **request: Any) -> Answer:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        headers = {"Authorization": f"Bearer {viewer.token}", **request.pop("headers", {})}
        if (traceparent := tracing.here()) is not None:
            headers["traceparent"] = traceparent
        if request.get("json") is None:
            request.pop("json", None)
        try:
            answer = await self._client.request(
                method, self._urls[service] + path, headers=headers, **request
            )
            body = answer.json() if answer.content else None
        except (httpx2.TransportError, ValueError):
            return Answer(0, _away(service, method))
        return Answer(answer.status_code, body, _version(answer.headers.get("etag")))


def _away(service: str, method: str) -> dict[str, Any]:
    """The problem for a service that does not respond; it may still carry out a command after the timeout."""
    name = service.replace("_", " ")
    otherwise = "Try again." if method == "GET" else "It may or may not have been done."
    return {
        "status": 503,
        "title": "Not reachable",
        "reason": "service_unreachable",
        "detail": f"The {name} service does not answer right now. {otherwise}",
    }


def _version(tag: str | None) -> int | None:
    text = (tag or "").strip('"')
    return int(text) if text.isdecimal() else None
