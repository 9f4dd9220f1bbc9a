"""The benchmark `memory`: each service's memory after many plans against the same process after a few."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.topics import Shortfall
from benchmarks.whole.stack import RunningStack, plan_for, running_stack
from deploy.embedded.plan import SERVICES

NAME, TITLE = "memory", "Memory of each service after many plans and after a few"
GOAL = 1.3


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    few, many = scale.pick(quick=200, normal=1_000), scale.pick(quick=2_000, normal=50_000)
    names = f"after {many:,} plans", f"after {few:,} plans"
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in names}
    for number in range(scale.rounds):
        with TemporaryDirectory(prefix="kith-bench-") as folder:
            async with running_stack(plan_for(Path(folder), many), many) as stack:
                for name, first, last in ((names[1], 1, few), (names[0], few + 1, many)):
                    figures = await _grown(stack, first, last)
                    found[name].append(figures)
                    told = ", ".join(f"{service} {figures[service]:.0f} MB" for service in SERVICES)
                    say(f"round {number + 1} of {scale.rounds}: {name}: {told}")
    note = "resident memory in MB, the stack at rest; the same processes"
    sides = [Side(name, note, found[name]) for name in names]
    ratios = [
        Ratio(
            f"{service}: {few:,} → {many:,}", ratio(sides[0].of(service), sides[1].of(service)), "lower", GOAL
        )
        for service in SERVICES
    ]
    return Result(NAME, TITLE, "all services", "MB resident", sides, ratios, machine(), ours=2)


async def _grown(stack: RunningStack, first: int, last: int) -> dict[str, float]:
    """Refer numbers `first` to `last`, wait until all is at rest, and measure. Raises `Shortfall`."""
    await stack.refer(first, last - first + 1)
    await stack.settled()
    await stack.require_no_dead_letters()
    async with stack.database("care_plan") as database:
        if (plans := await database["plans"].count_documents({})) != last:
            raise Shortfall(f"{plans} plans, expected {last}")
    memory = stack.memory()
    return {**memory, "all services": sum(memory.values())}
