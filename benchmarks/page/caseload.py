"""The benchmark `caseload`: the first page of the caseload, for 100,000 people and for 1,000."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

import httpx2
from pydantic import SecretStr

from benchmarks.lab import Lab, laboratory
from benchmarks.machine import machine
from benchmarks.page import people
from benchmarks.results import Ratio, Result, Side
from benchmarks.rounds import order
from benchmarks.scale import Scale
from benchmarks.statistics import percentile, ratio
from benchmarks.topics import Shortfall
from deploy.embedded.keys import development_token
from services.dashboard.app import build
from services.dashboard.settings import DashboardSettings
from shared.process import Process

NAME, TITLE = "caseload", "The caseload's first page"
P50, P95, SMALL = "p50 ms", "p95 ms", 1_000
GOAL, GOAL_MS = 1.5, 50.0
VIEWS = {
    "riskiest first": "/",
    "one clinician": "/?clinician=clinic03_cln07",
    "next appointment": "/?sort=next",
}
LOADS = 60
"""Loads of each view per round, in turns."""

WARM_UP = 5


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    large = scale.pick(quick=10_000, normal=100_000)
    names = f"{large:,} people", f"{SMALL:,} people"
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in names}
    async with laboratory() as lab, AsyncExitStack() as stack:
        pages = {
            name: await stack.enter_async_context(_page(lab, size))
            for name, size in zip(names, (large, SMALL), strict=True)
        }
        for number in range(scale.rounds):
            took: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(LOADS):
                for name in order(list(names), number):
                    took[name] += [await _load(pages[name], address) for address in VIEWS.values()]
            for name, values in took.items():
                found[name].append({P50: percentile(values, 0.5), P95: percentile(values, 0.95)})
                say(f"round {number + 1} of {scale.rounds}: {name}: p95 {found[name][-1][P95]:.1f} ms")
    note = f"whole page over ASGI, drawn anew each time, {len(VIEWS)} views in turns"
    sides = [Side(name, note, found[name]) for name in names]
    growth = Ratio(f"{names[1]} → {names[0]}, p95", ratio(sides[0].of(P95), sides[1].of(P95)), "lower", GOAL)
    budget = ratio(sides[0].of(P95), [GOAL_MS] * scale.rounds)
    ratios = [growth, Ratio(f"p95 at {large:,} / {GOAL_MS:g} ms", budget, "lower", 1.0)]
    return Result(NAME, TITLE, P95, "milliseconds for a page", sides, ratios, machine(), ours=2)


@asynccontextmanager
async def _page(lab: Lab, size: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a dashboard with `size` people, through its real ASGI app. Raises `Shortfall`."""
    prefix = f"bench_page_{size}_"
    plan = lab.plan()
    settings = DashboardSettings(
        environment="development",
        mongodb=SecretStr(lab.mongod.uri),
        database_prefix=prefix,
        jwks=str(plan.jwks),
    )
    service = build(settings)
    async with lab.database(f"{prefix}dashboard") as database:
        await database.ensure_indexes(service.indexes)
        await people.fill(database, size)
        if (stored := await database["people"].count_documents({})) != size:
            raise Shortfall(f"{stored} of {size} people")
        token = development_token(plan.signing_key, "coordinator")
        transport = httpx2.ASGITransport(Process(service).app())
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://page", headers=headers, timeout=60
        ) as client:
            for _ in range(WARM_UP):
                for address in VIEWS.values():
                    await _load(client, address)
            yield client
        await service.database.close()


async def _load(client: httpx2.AsyncClient, address: str) -> float:
    """Milliseconds for one page. Raises `Shortfall` unless it shows people."""
    begun = perf_counter()
    answer = await client.get(address)
    took = (perf_counter() - begun) * 1000
    if answer.status_code == 429:
        raise Shortfall("slowed down by the rate limit")
    if answer.status_code != httpx2.codes.OK or "data-patient=" not in answer.text:
        raise Shortfall(f"{address} was answered {answer.status_code}")
    return took
