"""The health of a running stack, queried from every service over HTTP."""

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any

from deploy.embedded.keys import development_token
from deploy.embedded.state import StackState

ASK_SECONDS = 3.0


@dataclass(frozen=True)
class ServiceHealth:
    """`checks` names what readiness depends on. Counts are None if the service did not report them."""

    name: str
    url: str
    pid: int
    ready: bool
    problem: str = ""
    checks: dict[str, bool] = field(default_factory=dict)
    lag: int | None = None
    outbox_pending: int | None = None
    dead_letters: int | None = None


@dataclass(frozen=True)
class StackHealth:
    ready: bool
    services: list[ServiceHealth]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def stack_health(state: StackState) -> StackHealth:
    import httpx2  # noqa: PLC0415  (a tenth of a second that `--help` need not wait for)

    token = development_token(state.signing_key, "engineer")
    async with httpx2.AsyncClient(
        timeout=ASK_SECONDS, trust_env=False, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        services = await asyncio.gather(
            *(_service(client, name, member.address, member.pid) for name, member in state.services.items())
        )
    return StackHealth(all(service.ready for service in services), list(services))


async def _service(client: Any, name: str, url: str, pid: int) -> ServiceHealth:
    readiness, flow, books, metrics = await asyncio.gather(
        *(_ask(client, url + path) for path in ("/health/ready", "/flow", "/books", "/metrics"))
    )
    if readiness is None:
        return ServiceHealth(name, url, pid, ready=False, problem="does not answer")
    ready = readiness.status_code == 200
    checks = _checks(readiness)
    missing = [check for check, passed in checks.items() if not passed]
    return ServiceHealth(
        name,
        url,
        pid,
        ready=ready,
        problem="" if ready else f"waits for {', '.join(missing) or 'something it does not name'}",
        checks=checks,
        lag=None if metrics is None else _lag(metrics.text),
        outbox_pending=_json(flow).get("outbox_pending"),
        dead_letters=_open_letters(_json(books)),
    )


async def _ask(client: Any, url: str) -> Any:
    """GET the URL; None if there is no answer."""
    import httpx2  # noqa: PLC0415

    try:
        return await client.get(url)
    except httpx2.HTTPError:
        return None


def _json(answer: Any) -> dict[str, Any]:
    return answer.json() if answer is not None and answer.status_code == 200 else {}


def _checks(readiness: Any) -> dict[str, bool]:
    try:
        told = readiness.json()
    except ValueError:
        return {}
    found = told.get("checks", told)
    return {name: value for name, value in found.items() if isinstance(value, bool)}


def _lag(metrics: str) -> int:
    """Total lag in messages over all groups, from a Prometheus text page."""
    values = [
        line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith("kith_consumer_lag{")
    ]
    return round(sum(float(value) for value in values))


def _open_letters(books: dict[str, Any]) -> int | None:
    counts = [
        row["count"]
        for row in books.get("entries", [])
        if (row["kind"], row["column"]) == ("dead_letter", "open")
    ]
    return sum(counts) if counts else None
