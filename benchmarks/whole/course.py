"""The benchmark `course`: from referrals to scheduled plans, with all services running."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks import rounds
from benchmarks.consume.intakes import envelopes
from benchmarks.consume.run import measure as measure_consumer
from benchmarks.consume.sides import CONTENDERS, LIMIT
from benchmarks.lab import laboratory
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.topics import Shortfall
from benchmarks.whole.stack import RunningStack, plan_for, running_stack
from services.alerts import subscribers as alerts
from services.care_plan import subscribers as care_plan
from services.scheduler import subscribers as scheduler

NAME, TITLE = "course", "Whole course: referrals in, until every plan is scheduled"
PER_CORE, ACTED_ON = "events/s/core", "messages acted on/s/core"
"""A course announces about 19 events for a referral, 16 of them from one schedule. The limit loop stores one
document and announces one event per message. The second measure is therefore stricter: it counts only
messages with a reaction."""

GOAL, LINEAR = 0.5, 0.8
WARM_UP = 500
"""Referrals before the measurement, to load code, open connections and warm indexes."""

EACH = ("ReferralReceived", "IntakeCompleted", "CarePlanStarted")
"""Announced once per referral; `BOOKED` is announced once per session of its contract."""

BOOKED = "SessionScheduled"
REACTS: Mapping[str, frozenset[str]] = {
    service: frozenset(model.__name__ for reactions in each for model, _ in reactions)
    for service, each in {
        "care_plan": [care_plan.PLANS],
        "scheduler": [scheduler.PLANS],
        "alerts": [alerts.CRISIS, alerts.WORK],
    }.items()
}
"""Service → event types it reacts to; it skips all others."""


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    sizes = {"quick": (200, 1_000), "normal": (1_000, 5_000, 20_000), "full": (1_000, 5_000, 20_000, 50_000)}
    sides: dict[str, tuple[str, rounds.Run]] = {
        _name(size): (_note(size), _course(size)) for size in reversed(sizes[scale.size])
    }
    backlog = envelopes(scale.pick(quick=3_000, normal=20_000))
    limit = next(contender for contender in CONTENDERS if contender.name == LIMIT)

    async def measure_limit(number: int) -> Mapping[str, float]:
        async with laboratory() as lab:
            figures = per_core(await measure_consumer(lab, limit, backlog, number))
            return {ACTED_ON: figures[PER_CORE], **figures}

    sides[LIMIT] = (limit.note, measure_limit)
    found = await rounds.alternate(sides, scale.rounds, say)
    return Result(
        NAME,
        TITLE,
        PER_CORE,
        "events announced per second of CPU of all processes, servers included",
        list(found.values()),
        _ratios(found, list(sides)),
        machine(),
        ours=len(found) - 1,
    )


def _name(size: int) -> str:
    return f"{size:,} referrals"


def _note(size: int) -> str:
    return f"bulk import of {size:,} over HTTP after {WARM_UP} others, until the stack is at rest"


def _ratios(found: Mapping[str, Side], names: list[str]) -> list[Ratio]:
    """Compare the largest course with the limit loop, by both measures, and with the smallest course."""
    largest, *_, smallest, limit = (found[name].of(PER_CORE) for name in names)
    acted_on = ratio(found[names[0]].of(ACTED_ON), found[LIMIT].of(ACTED_ON))
    return [
        Ratio(f"{names[0]} / {LIMIT}, events per core", ratio(largest, limit), "higher", GOAL),
        Ratio(f"{names[0]} / {LIMIT}, messages acted on per core", acted_on, "higher"),
        Ratio(f"{names[0]} / {names[-2]}, per core", ratio(largest, smallest), "higher", LINEAR),
    ]


def per_core(measured: Mapping[str, float]) -> dict[str, float]:
    """A side of `consume`, in events per CPU second of all its processes together."""
    cost = {name: value for name, value in measured.items() if name.endswith(" µs")}
    return {PER_CORE: 1e6 / sum(cost.values()), "events/s": measured["events/s"], **cost}


def _course(size: int) -> rounds.Run:
    async def measure(number: int) -> Mapping[str, float]:
        with TemporaryDirectory(prefix="kith-bench-") as folder:
            capacity = size + WARM_UP
            async with running_stack(plan_for(Path(folder), capacity), capacity) as stack:
                return await measure_course(stack, size)

    return measure


async def measure_course(stack: RunningStack, size: int) -> Mapping[str, float]:
    """Import, wait, and count all effects. Raises `Shortfall`."""
    await stack.refer(1, WARM_UP)
    await stack.settled()
    known = await stack.announced()
    before, begun = stack.cpu(), monotonic()
    await stack.refer(1 + WARM_UP, size)
    scheduled = monotonic() - begun
    await stack.settled()
    after, rest = stack.cpu(), monotonic() - begun
    announced = await _verified(stack, size + WARM_UP)
    events = sum(announced.values()) - sum(known.values())
    cores = sum(after.values()) - sum(before.values())
    spent = {name: (after[name] - before[name]) / events * 1e6 for name in before}
    return {
        PER_CORE: events / cores,
        ACTED_ON: (acted_on(announced) - acted_on(known)) / cores,
        "events/s": events / rest,
        "referrals/s": size / scheduled,
        **{f"{name} µs": value for name, value in spent.items()},
    }


def acted_on(announced: Mapping[str, int]) -> int:
    """Messages reacted to: each announcement counts once per service that reacts to it."""
    return sum(announced.get(kind, 0) for kinds in REACTS.values() for kind in kinds)


async def _verified(stack: RunningStack, size: int) -> Mapping[str, int]:
    """Events by type, after checking that each referral had all its effects once, without dead letters."""
    await stack.require_no_dead_letters()
    announced = await stack.announced()
    wanted = dict.fromkeys(EACH, size) | {BOOKED: await _sessions(stack, size)}
    if {kind: announced.get(kind, 0) for kind in wanted} != wanted:
        raise Shortfall(f"announced {announced}, expected {wanted}; {stack.warnings[-3:]}")
    async with stack.database("scheduler") as database:
        if (found := await database["schedules"].count_documents({})) != size:
            raise Shortfall(f"{found} schedules, expected {size}")
    return announced


async def _sessions(stack: RunningStack, size: int) -> int:
    """Total of contracted sessions over all plans. Raises `Shortfall` if a plan is missing."""
    group = {"_id": None, "plans": {"$sum": 1}, "sessions": {"$sum": "$contract.sessions"}}
    async with stack.database("care_plan") as database:
        (found,) = await database.aggregate("plans", [{"$group": group}])
    if found["plans"] != size:
        raise Shortfall(f"{found['plans']} plans, expected {size}")
    return int(found["sessions"])
