"""An intake that keeps rows in memory and fails as it is told to."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2

from deploy.cli.client import Client, Deployment, addresses

REFUSALS = {413: "body_too_large", 503: "storage_unavailable", 422: "invalid"}


class Intake:
    """`failures`: a status, or "lost" for an answer that never arrives, per request, then all is well.

    A row whose `external_id` is `wrong` is refused; at most `limit` rows fit into a request.
    """

    def __init__(self, *failures: int | str, limit: int = 500) -> None:
        self.failures: Iterator[int | str] = iter(failures)
        self.limit = limit
        self.rows: dict[str, dict[str, Any]] = {}
        self.requests: list[list[int]] = []
        self.answered: dict[str, dict[str, Any]] = {}
        self.clinics: set[str | None] = set()

    def client(self) -> Client:
        return Client(
            Deployment(addresses("http://{service}.test"), lambda: "t"),
            transport=httpx2.MockTransport(self._answer),
        )

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        for _ in range(10):  # others start meanwhile
            await asyncio.sleep(0)
        body = json.loads(request.content)
        self.requests.append([row["row"] for row in body["rows"]])
        self.clinics.add(body.get("clinic_id"))
        failure = next(self.failures, None)
        if isinstance(failure, int):
            return httpx2.Response(failure, json={"reason": REFUSALS[failure]})
        if len(body["rows"]) > self.limit:
            return httpx2.Response(413, json={"reason": "body_too_large"})
        key = request.headers["Idempotency-Key"]
        answer = (
            self.answered.setdefault(key, self._imported(body["rows"])) if key not in self.answered else None
        )
        if failure == "lost":
            raise httpx2.ReadError("cut")
        return httpx2.Response(200, json=answer or self.answered[key])

    def _imported(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        results = [self._import(row) for row in rows]
        counts = {f: sum(r["outcome"] == f for r in results) for f in ("created", "updated", "unchanged")}
        return {"results": results, **counts, "crisis_support": None}

    def _import(self, row: dict[str, Any]) -> dict[str, Any]:
        id, told = str(row["external_id"]), {name: value for name, value in row.items() if name != "row"}
        if id == "wrong":
            return {"row": row["row"], "outcome": "error", "codes": ["person_differs"], "flagged": False}
        known = self.rows.get(id)
        self.rows[id] = told
        outcome = "created" if known is None else "unchanged" if known == told else "updated"
        return {"row": row["row"], "outcome": outcome, "codes": [], "flagged": False}
