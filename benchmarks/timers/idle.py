"""The benchmark `idle`: what a tick costs when nothing is due, for a small and a large caseload."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from time import perf_counter

from pydantic import SecretStr

from benchmarks.lab import Lab, laboratory
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.rounds import order
from benchmarks.scale import Scale
from benchmarks.statistics import percentile, ratio
from benchmarks.timers.schedules import fill, first_day
from benchmarks.topics import Shortfall
from deploy.embedded.plan import ROOT
from services.scheduler.app import build
from services.scheduler.store import SCHEDULES
from shared.mongo import MongoDatabase
from shared.service import Service, Ticker
from shared.settings import Settings

NAME, TITLE = "idle", "Timers: a tick when nothing is due"
P50, SMALL = "p50 ms", 10_000
GOAL = 1.2
TICKS = 300
"""Of each caseload in a round, in turns."""

WARM_UP_TICKS = 50


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    large = scale.pick(quick=100_000, normal=1_000_000)
    names = {f"caseload {size:,}": size for size in (large, SMALL)}
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in names}
    async with laboratory() as lab, AsyncExitStack() as stack:
        caseloads = {}
        for name, size in names.items():
            caseloads[name] = await _caseload(lab, stack, size)
            say(f"{name} stored")
        for number in range(scale.rounds):
            measured = await _round(caseloads, order(list(names), number))
            for name, figures in measured.items():
                found[name].append(figures)
                say(f"round {number + 1} of {scale.rounds}: {name}: p50 {figures[P50]:.2f} ms")
    note = f"the scheduler's own tickers in the benchmark's process, {TICKS} ticks a round, in turns"
    sides = [Side(name, note, found[name]) for name in names]
    growth = Ratio(f"{SMALL:,} → {large:,}", ratio(sides[0].of(P50), sides[1].of(P50)), "lower", GOAL)
    return Result(
        NAME, TITLE, P50, "of one tick of all of the scheduler's tickers", sides, [growth], machine(), ours=2
    )


async def _caseload(lab: Lab, stack: AsyncExitStack, size: int) -> Service:
    """A scheduler over `size` schedules of which none is due."""
    prefix = f"bench_idle_{size}_"
    database = await stack.enter_async_context(lab.database(f"{prefix}scheduler"))
    await fill(database, size)
    await _all_wait(database, size)
    settings = Settings(
        environment="development",
        mongodb=SecretStr(lab.mongod.uri),
        database_prefix=prefix,
        jwks=str(lab.plan().jwks),
        clinics_file=ROOT / "deploy" / "config" / "clinics.json",
    )
    service = build(settings)
    stack.push_async_callback(service.database.close)
    return service


async def _all_wait(database: MongoDatabase, size: int) -> None:
    waiting = await database[SCHEDULES].count_documents({"waiting": True})
    if waiting != size:
        raise Shortfall(f"{waiting} of {size} schedules wait for something")


async def _round(caseloads: Mapping[str, Service], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Ticks of all caseloads, one after the other."""
    now = first_day().due - timedelta(hours=1)
    took: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(WARM_UP_TICKS + TICKS):
        for name in names:
            seconds = await _tick(caseloads[name].tickers, now)
            if turn >= WARM_UP_TICKS:
                took[name].append(seconds * 1000)
    return {
        name: {P50: percentile(took[name], 0.5), "p99 ms": percentile(took[name], 0.99)} for name in names
    }


async def _tick(tickers: Sequence[Ticker], now: datetime) -> float:
    """Seconds that one tick of each took. Raises `Shortfall` if there was something to do."""
    begun = perf_counter()
    done = [await ticker.tick(now) for ticker in tickers]
    if any(done):
        raise Shortfall("a tick that should be idle had something to do")
    return perf_counter() - begun
