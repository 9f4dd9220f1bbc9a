"""The simulated people's client for a failing stack: each write is in the ledger and retried until known."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx2

from deploy.demo.desks import Answered, Desks
from tests.chaos.ledger import KEPT, KEPT_OF_REQUEST, Entry, Ledger, Outcome, now, said
from tests.support.replicas import as_services

PATIENCE_SECONDS = 120.0
ANSWER_SECONDS = 5.0
SAYS_NOTHING = (429, 500, 502, 503, 504)


class LedgerDesks(Desks):
    """`urls`: addresses of all replicas, by service. If one does not answer, the next is tried."""

    def __init__(
        self,
        urls: Mapping[str, list[str]],
        tokens: dict[str, str],
        ledger: Ledger,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__({}, tokens)
        self._ledger, self.clock = ledger, clock
        self._replicas = {
            service: [
                httpx2.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, trust_env=False) for url in each
            ]
            for service, each in urls.items()
        }
        self._clients = {f"{s}/{n}": c for s, each in self._replicas.items() for n, c in enumerate(each)}
        self._places = asyncio.Semaphore(6)
        self.window = 0
        self.sent = 0
        """Writes sent, not counting retries."""

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
        entry = None
        if once is not None:
            headers |= {"idempotency-key": once, "x-request-id": request_id(once)}
            entry = self._entry(once, service, method, path, body)
        async with self._places:
            return await self._until_known(entry, service, method, path, body, headers, query)

    def _entry(self, key: str, service: str, method: str, path: str, body: Any) -> Entry:
        clock, about = self.clock().isoformat(), said(body, KEPT_OF_REQUEST)
        return Entry("asked", key, service, method, path, self.window, clock, now(), about=about)

    def _note(self, entry: Entry | None, outcome: Outcome, **more: Any) -> None:
        if entry is not None:
            self._ledger.write(replace(entry, outcome=outcome, at=now(), **more))

    async def _until_known(
        self,
        entry: Entry | None,
        service: str,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str],
        query: dict[str, Any],
    ) -> Any:
        deadline, replicas = monotonic() + PATIENCE_SECONDS, self._replicas[service]
        first = uuid5(NAMESPACE_URL, path).int
        attempt = 0
        while True:
            self._note(entry, "asked")
            self.requests += 1
            self.sent += entry is not None and not attempt
            client = replicas[(first + attempt) % len(replicas)]
            try:
                answer = await client.request(method, path, json=body, headers=headers, params=query)
            except httpx2.TransportError as error:
                why = type(error).__name__
            else:
                if answer.status_code not in SAYS_NOTHING:
                    return self._known(entry, answer, f"{method} {path}")
                why = str(answer.status_code)
            self._note(entry, "unknown", reason=why)
            if monotonic() > deadline:
                raise ConnectionError(f"{service} is unavailable: {why}")
            attempt += 1
            self.retries += 1
            await asyncio.sleep(0.15)

    def _known(self, entry: Entry | None, answer: httpx2.Response, what: str) -> Any:
        body = answer.json() if answer.content else None
        if answer.is_success:
            self._note(entry, "acknowledged", status=answer.status_code, answer=said(body, KEPT))
            return body
        reason = body.get("reason", "") if isinstance(body, dict) else ""
        self._note(entry, "refused", status=answer.status_code, reason=reason)
        raise Answered(answer.status_code, reason, what)

    async def flow_of(self, replica: str) -> dict[str, Any]:
        """Raises `ConnectionError`."""
        service, _, number = replica.partition("-")
        return await self._flow(f"{service}/{int(number or 1) - 1}")

    async def flows(self) -> list[dict[str, Any]]:
        """`GET /flow` of every replica, as one answer per service. Raises `ConnectionError`."""
        return as_services(await super().flows())


def request_id(key: str) -> str:
    """The id that every attempt of a request carries, by which its effects are recognised."""
    return f"chaos-{key}"
