"""The benchmarks `crisis` and `crisis_load`: from an accepted request to the attempt to page."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks import rounds
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.scale import Scale
from benchmarks.statistics import percentile, ratio
from benchmarks.topics import Shortfall
from benchmarks.whole.paging import Crises, Telephone, crises
from benchmarks.whole.raw import FETCH_WAIT_MS, raw
from benchmarks.whole.stack import RunningStack, plan_for, running_stack

P50, P99 = "p50 ms", "p99 ms"
OURS, THEIRS = "crisis: accepted → page attempted", "raw: produce → consume"
UNDER_LOAD, QUIET = "crisis under load", "crisis, quiet"
WARM_UP = 10
REST_SECONDS, PAUSE_SECONDS = 0.12, 0.04
"""Time between two samples: work on a crisis continues after its page, and only then is the stack at rest
(docs/performance.md). The additional pause of random length, up to its value, keeps samples out
of step with fetches."""

QUIET_NOTE = (
    f"the whole stack at rest, {REST_SECONDS * 1000:g} ms or more after the sample before; referral over HTTP"
    " with high risk, from the 201 to the first webhook"
)
RAW_NOTE = (
    f"aiokafka, the stack's own broker, fetch wait {FETCH_WAIT_MS} ms, no linger; in turns with the crises,"
    " after the same rest"
)


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    count = scale.pick(quick=50, normal=300)
    found: dict[str, list[Mapping[str, float]]] = {OURS: [], THEIRS: []}
    for number in range(scale.rounds):
        async with _stack(1_000) as (stack, telephone):
            paged, bare = await _in_turns(stack, telephone, count)
        for name, values in ((OURS, paged), (THEIRS, bare)):
            found[name].append(_figures(values))
            say(f"round {number + 1} of {scale.rounds}: {name}: {_told(values)}")
    sides = [Side(OURS, QUIET_NOTE, found[OURS]), Side(THEIRS, RAW_NOTE, found[THEIRS])]
    ratios = [
        Ratio(f"crisis / raw, {measure[:3]}", ratio(sides[0].of(measure), sides[1].of(measure)), "lower", 5.0)
        for measure in (P50, P99)
    ]
    title, unit = "Crisis, quiet: accepted → page attempted", f"of {count} a round"
    return Result("crisis", title, P50, unit, sides, ratios, machine())


async def run_under_load(scale: Scale, say: Callable[[str], None]) -> Result:
    count = scale.pick(quick=50, normal=300)
    backlog = scale.pick(quick=2_000, normal=20_000)

    async def quiet(number: int) -> Mapping[str, float]:
        async with _stack(1_000) as (stack, telephone), crises(stack, telephone) as pager:
            await _warm(pager)
            paged = [await _rested(pager) for _ in range(count)]
            await pager.verify()
        return _figures(paged) | _answers(pager)

    async def loaded(number: int) -> Mapping[str, float]:
        async with _stack(backlog) as (stack, telephone), crises(stack, telephone) as pager:
            await _warm(pager)
            return _figures(await _while_working(stack, pager, backlog)) | _answers(pager)

    note = f"the same while {backlog:,} referrals are imported and worked off, from the first to the last"
    sides = await rounds.alternate(
        {UNDER_LOAD: (note, loaded), QUIET: (QUIET_NOTE, quiet)}, scale.rounds, say
    )
    ratios = [
        Ratio(
            f"under load / quiet, {measure[:3]}",
            ratio(sides[UNDER_LOAD].of(measure), sides[QUIET].of(measure)),
            "lower",
            goal,
        )
        for measure, goal in ((P99, 3.0), (P50, None))
    ]
    title = f"Crisis while {backlog:,} referrals are worked off"
    return Result("crisis_load", title, P99, "milliseconds", list(sides.values()), ratios, machine(), ours=2)


@asynccontextmanager
async def _stack(capacity: int) -> AsyncIterator[tuple[RunningStack, Telephone]]:
    telephone = Telephone()
    with TemporaryDirectory(prefix="kith-bench-") as folder:
        plan = plan_for(Path(folder), capacity, page=telephone.address, **Telephone.settings())
        async with running_stack(plan, capacity) as stack:
            yield stack, telephone


async def _in_turns(stack: RunningStack, telephone: Telephone, count: int) -> tuple[list[float], list[float]]:
    """Alternate crises and bare messages."""
    paged, bare = [], []
    async with crises(stack, telephone) as pager, raw(stack.broker_address) as message:
        await _warm(pager)
        for _ in range(WARM_UP):
            await message.trip()
        for _ in range(count):
            paged.append(await _rested(pager))
            await _rest()
            bare.append(await message.trip())
        await pager.verify()
    return paged, bare


async def _warm(pager: Crises) -> None:
    for _ in range(WARM_UP):
        await pager.page()


async def _while_working(stack: RunningStack, pager: Crises, backlog: int) -> list[float]:
    """Raise crises from the start of the import until every plan is scheduled."""
    paged: list[float] = []
    async with stack.importing(1, backlog) as process, stack.database("scheduler") as scheduler:
        while not await stack.scheduled(scheduler, backlog):
            await _pause()
            paged.append(await pager.page())
            if process.poll() not in (None, 0):
                raise Shortfall(f"the import failed; {stack.warnings[-3:]}")
    await pager.verify()
    return paged


async def _rested(pager: Crises) -> float:
    await _rest()
    return await pager.page()


async def _rest() -> None:
    await asyncio.sleep(REST_SECONDS)
    await _pause()


async def _pause() -> None:
    await asyncio.sleep(_random.uniform(0, PAUSE_SECONDS))


_random = Random(7)  # noqa: S311 (spreads samples; guards nothing)


def _figures(values: list[float]) -> dict[str, float]:
    return {P50: percentile(values, 0.5), P99: percentile(values, 0.99), "samples": float(len(values))}


def _answers(pager: Crises) -> dict[str, float]:
    """Durations of the requests themselves."""
    taken = pager.answered[WARM_UP:]
    return {"accepted after p50 ms": percentile(taken, 0.5), "accepted after p99 ms": percentile(taken, 0.99)}


def _told(values: list[float]) -> str:
    return f"p50 {percentile(values, 0.5):.1f} ms, p99 {percentile(values, 0.99):.1f} ms"
