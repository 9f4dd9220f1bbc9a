"""The simulated people's client: Kith's public HTTP APIs, with a bearer token per role."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

import httpx2

from deploy.embedded.keys import development_token
from deploy.embedded.state import StackState

ROLES = ("coordinator", "clinician", "engineer")
AWAY = 503
PATIENCE_SECONDS = 45.0
AT_ONCE = 12
"""Concurrent requests: as many as there are clinicians."""


class Answered(Exception):
    """A service refused a request and gave a reason."""

    def __init__(self, status: int, reason: str, what: str) -> None:
        super().__init__(f"{what}: {status} {reason}")
        self.status, self.reason = status, reason


class Desks:
    """Coordinators, clinicians and an observing engineer at a running stack.

    Every write carries an Idempotency-Key derived from its content, so a request during which a service died
    is simply retried.
    """

    def __init__(self, urls: dict[str, str], tokens: dict[str, str]) -> None:
        self._tokens = tokens
        self._clients = {
            name: httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False) for name, url in urls.items()
        }
        self._places = asyncio.Semaphore(AT_ONCE)
        self.requests = 0
        self.writes = 0
        self.retries = 0

    @classmethod
    def of(cls, state: StackState) -> Self:
        urls = {name: member.address for name, member in state.services.items()}
        return cls(urls, development_tokens(state.signing_key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    async def get(self, service: str, path: str, *, role: str = "clinician", **query: Any) -> Any:
        return await self._ask(service, "GET", path, role, None, None, query)

    async def all_pages(self, service: str, path: str, *, role: str = "clinician", **query: Any) -> list[Any]:
        """Every item of a paged list."""
        items: list[Any] = []
        cursor = None
        while True:
            page = await self.get(
                service, path, role=role, limit=200, **query, **({"cursor": cursor} if cursor else {})
            )
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    async def send(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str = "clinician",
        key: str = "",
    ) -> Any:
        """Send a write. `key` distinguishes intentionally repeated, otherwise equal requests."""
        once = str(uuid5(NAMESPACE_URL, f"{service} {method} {path} {key}"))
        self.writes += 1
        try:
            return await self._ask(service, method, path, role, body, once, {})
        finally:
            self.writes += 1  # a look during the request may have missed its effect

    async def _ask(
        self,
        service: str,
        method: str,
        path: str,
        role: str,
        body: Any,
        once: str | None,
        query: dict[str, Any],
    ) -> Any:
        headers = {"authorization": f"Bearer {self._tokens[role]}"}
        if once is not None:
            headers["idempotency-key"] = once
        deadline = monotonic() + PATIENCE_SECONDS
        async with self._places:
            while True:
                self.requests += 1
                with _away_is_a_connection_error(service):
                    try:
                        answer = await self._clients[service].request(
                            method, path, json=body, headers=headers, params=query
                        )
                        if answer.status_code != AWAY:
                            return _content(answer, f"{method} {path}")
                    except httpx2.TransportError:
                        if monotonic() > deadline:
                            raise
                if monotonic() > deadline:
                    raise ConnectionError(f"{service} is unavailable")
                self.retries += 1
                await asyncio.sleep(0.1)

    async def flows(self) -> list[dict[str, Any]]:
        """`GET /flow` of every service, without retries: settling retries itself."""
        return list(await asyncio.gather(*(self._flow(name) for name in self._clients)))

    async def _flow(self, service: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._tokens['engineer']}"}
        with _away_is_a_connection_error(service):
            answer = await self._clients[service].get("/flow", headers=headers, params={"patience": 2})
        if answer.status_code != httpx2.codes.OK:
            raise ConnectionError(f"{service} answers {answer.status_code}")
        flow: dict[str, Any] = answer.json()
        return flow


def development_tokens(signing_key: Path) -> dict[str, str]:
    """Role → a token accepted by the stack of this key."""
    return {role: development_token(signing_key, role) for role in ROLES}


@contextmanager
def _away_is_a_connection_error(service: str) -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise ConnectionError(f"{service} does not answer ({type(error).__name__})") from None


def _content(answer: httpx2.Response, what: str) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        reason = answer.json().get("reason", "")
    except ValueError:
        reason = ""
    raise Answered(answer.status_code, reason, what)
