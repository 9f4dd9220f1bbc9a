"""The benchmark `idle`: the cost of a tick when nothing is due, for a small and a large caseload."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from pydantic import SecretStr

from benchmarks.lab import Lab, laboratory
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.rounds import order
from benchmarks.scale import Scale
from benchmarks.statistics import percentile, ratio
from benchmarks.timers import alerts, schedules
from benchmarks.topics import Shortfall
from deploy.embedded.plan import ROOT
from services.alerts.app import build as build_alerts
from services.alerts.store import ALERTS
from services.scheduler.app import build as build_scheduler
from services.scheduler.store import SCHEDULES
from shared.service import Service
from shared.settings import Settings

NAME, TITLE = "idle", "Timers: a tick when nothing is due"
P50, P99, SMALL = "p50 ms", "p99 ms", 10_000
GOAL = 1.2
TICKS = 300
"""Ticks of each caseload per round, in turns."""

WARM_UP_TICKS = 50


@dataclass(frozen=True)
class Caseload:
    """A service with many people, none of whom has anything due at `now`."""

    service: Service
    now: datetime

    async def tick(self) -> float:
        """Milliseconds for one tick of every ticker. Raises `Shortfall` if there was work."""
        begun = perf_counter()
        done = [await ticker.tick(self.now) for ticker in self.service.tickers]
        took = (perf_counter() - begun) * 1000
        if any(done):
            raise Shortfall("a tick that should be idle had something to do")
        return took


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    large = scale.pick(quick=100_000, normal=1_000_000)
    async with laboratory() as lab, AsyncExitStack() as stack:
        caseloads: dict[str, Caseload] = {}
        for service, make in (("scheduler", _scheduler), ("alerts", _alerts)):
            for size in (large, SMALL):
                caseloads[_name(service, size)] = await make(lab, stack, size)
                say(f"{_name(service, size)} stored")
        sides = await _measured(caseloads, scale.rounds, say)
    ratios = [
        Ratio(
            f"{service}: {SMALL:,} → {large:,}",
            ratio(sides[_name(service, large)].of(P50), sides[_name(service, SMALL)].of(P50)),
            "lower",
            GOAL,
        )
        for service in ("scheduler", "alerts")
    ]
    unit = "of one tick of all of the service's tickers"
    return Result(NAME, TITLE, P50, unit, list(sides.values()), ratios, machine(), ours=len(sides))


def _name(service: str, size: int) -> str:
    return f"{service}, {size:,} people"


async def _scheduler(lab: Lab, stack: AsyncExitStack, size: int) -> Caseload:
    prefix = f"bench_idle_{size}_"
    database = await stack.enter_async_context(lab.database(f"{prefix}scheduler"))
    await schedules.fill(database, size)
    settings = Settings(
        environment="development",
        mongodb=SecretStr(lab.mongod.uri),
        database_prefix=prefix,
        jwks=str(lab.plan().jwks),
        clinics_file=ROOT / "deploy" / "config" / "clinics.json",
    )
    now = schedules.first_day().due - timedelta(hours=1)
    return await _checked(stack, Caseload(build_scheduler(settings), now), SCHEDULES, size)


async def _alerts(lab: Lab, stack: AsyncExitStack, size: int) -> Caseload:
    prefix = f"bench_idle_{size}_"
    database = await stack.enter_async_context(lab.database(f"{prefix}alerts"))
    settings = alerts.settings(lab.mongod.uri, prefix, str(lab.plan().jwks))
    now = await alerts.fill(database, settings, size, schedules.STARTED)
    return await _checked(stack, Caseload(build_alerts(settings), now), ALERTS, size)


async def _checked(stack: AsyncExitStack, caseload: Caseload, collection: str, size: int) -> Caseload:
    """Check that every document waits for a later moment. Raises `Shortfall`."""
    database = caseload.service.database
    stack.push_async_callback(database.close)
    waiting = await database[collection].count_documents({"waiting": True, "next_due": {"$gt": caseload.now}})
    if waiting != size:
        raise Shortfall(f"{waiting} of {size} {collection} wait for something")
    return caseload


async def _measured(
    caseloads: Mapping[str, Caseload], rounds: int, say: Callable[[str], None]
) -> dict[str, Side]:
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in caseloads}
    for number in range(rounds):
        for name, took in (await _round(caseloads, order(list(caseloads), number))).items():
            found[name].append({P50: percentile(took, 0.5), P99: percentile(took, 0.99)})
            say(f"round {number + 1} of {rounds}: {name}: p50 {found[name][-1][P50]:.2f} ms")
    note = f"the service's own tickers in the benchmark's process, {TICKS} ticks a round, in turns"
    return {name: Side(name, note, found[name]) for name in caseloads}


async def _round(caseloads: Mapping[str, Caseload], names: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each tick, with the caseloads in turns."""
    took: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(WARM_UP_TICKS + TICKS):
        for name in names:
            milliseconds = await caseloads[name].tick()
            if turn >= WARM_UP_TICKS:
                took[name].append(milliseconds)
    return took
