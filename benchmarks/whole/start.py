"""The benchmark `start`: `kith up` until ready, with many plans in its folder against none."""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks import rounds
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.topics import Shortfall
from benchmarks.whole.stack import plan_for, running_stack
from deploy.embedded.plan import PAGE, ROOT, SERVICES, Plan
from deploy.embedded.probing import attempts
from deploy.embedded.processes import last_lines, spawn, stop
from deploy.embedded.state import running_state
from shared.mongo import MongoDatabase

NAME, TITLE = "start", "`kith up` to ready"
SECONDS = "seconds"
GOAL = 1.3
PATIENCE, STOP_WITHIN = 120.0, 20.0


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    plans = scale.pick(quick=2_000, normal=50_000)
    full, empty = f"{plans:,} plans in place", "no plans"
    with TemporaryDirectory(prefix="kith-bench-") as folder:
        filled, bare = plan_for(Path(folder) / "filled", plans), plan_for(Path(folder) / "empty", plans)
        await _fill(filled, plans)
        say(f"{plans:,} plans stored")
        await _fill(bare, 0)
        sides: dict[str, tuple[str, rounds.Run]] = {
            full: ("everything else as in the empty folder", partial(_started, filled, plans)),
            empty: ("a folder in which the stack ran once", partial(_started, bare, 0)),
        }
        found = await rounds.alternate(sides, scale.rounds, say)
    grown = Ratio(
        f"{plans:,} plans / none", ratio(found[full].of(SECONDS), found[empty].of(SECONDS)), "lower", GOAL
    )
    unit = "from the command to its word that all is ready"
    return Result(NAME, TITLE, SECONDS, unit, list(found.values()), [grown], machine(), ours=2)


async def _fill(plan: Plan, plans: int) -> None:
    """Create the plans through the services themselves, in one run of the stack."""
    async with running_stack(plan, plans) as stack:
        if plans:
            await stack.refer(1, plans)
        await stack.settled()
        await stack.require_no_dead_letters()


async def _started(plan: Plan, plans: int, number: int) -> Mapping[str, float]:
    """Run `kith up`, wait until it is ready, check that the plans are there, and stop it."""
    log = plan.data / "logs" / "up"
    asked, begun = datetime.now(UTC), monotonic()
    process = spawn(_command(plan), folder=ROOT, log=log, environment=os.environ)
    try:
        async for _ in attempts(PATIENCE, pause=0.01):
            state = running_state(plan.data)
            if state is not None and state.ready is not None and state.ready >= asked:
                seconds = monotonic() - begun
                break
            if process.poll() is not None:
                raise Shortfall(f"kith up ended: {last_lines(log, 5)}")
        else:
            raise Shortfall(f"kith up was not ready within {PATIENCE:g} s: {last_lines(log, 5)}")
        await _all_there(state.mongodb, plans)
    finally:
        stop(process, within=STOP_WITHIN)
    return {SECONDS: seconds}


def _command(plan: Plan) -> list[str]:
    ports = [f"--{name.replace('_', '-')}-port={plan.ports.services[name]}" for name in (PAGE, *SERVICES)]
    servers = [f"--mongod-port={plan.ports.mongod}", f"--kafka-port={plan.ports.kafka}"]
    settings = [
        f"--set={name if service == '*' else f'{service}.{name}'}={value}"
        for service, chosen in plan.chosen.items()
        for name, value in chosen.items()
    ]
    return [
        str(Path(sys.executable).with_name("kith")),
        "up",
        f"--data={plan.data}",
        *ports,
        *servers,
        *settings,
    ]


async def _all_there(mongodb: str, plans: int) -> None:
    database = MongoDatabase(mongodb, "kith_care_plan")
    try:
        found = await database["plans"].count_documents({})
    finally:
        await database.close()
    if found != plans:
        raise Shortfall(f"{found} plans in place, expected {plans}")
