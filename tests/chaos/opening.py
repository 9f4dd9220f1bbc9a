"""A stack with everything around it: receivers, proxies, ledger, tap and people."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from deploy.demo.agenda import Agenda
from deploy.embedded.clock import stepped_clock
from deploy.embedded.keys import development_token
from deploy.embedded.plan import ROOT
from tests.chaos import people
from tests.chaos.desks import LedgerDesks
from tests.chaos.director import Director
from tests.chaos.faults import Scene
from tests.chaos.faults.storage import remove_disk, small_disk
from tests.chaos.history import Reader
from tests.chaos.ledger import Ledger
from tests.chaos.people import Caseload
from tests.chaos.play import REFERRALS_A_WINDOW, REFERRALS_AT_FIRST
from tests.chaos.receivers import Receivers, listening
from tests.chaos.run import Run
from tests.chaos.settling import ChaosTime
from tests.chaos.stack import PORTS_OF_A_STACK, ChaosStack, stacked
from tests.chaos.tap import Tap
from tests.chaos.timeline import START, ZONES

PORTS = 2 + PORTS_OF_A_STACK
FETCH_WAIT_MS = 50
"""Longer than shipped: two stacks that poll 50 times a second would keep a small machine busy."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class Opening:
    """Parameters of a run. `first_port`: the first of `PORTS` free ports. `windows`: the number to play.

    `disturbed`: with replicas, and mongod on a small disk if possible. `mutation`: the guarantee taken away.
    `patience`: seconds that it may take to settle, if not the default.
    """

    folder: Path
    seed: int
    windows: int
    first_port: int
    log: Log
    disturbed: bool
    mutation: str | None = None
    patience: float | None = None


@asynccontextmanager
async def opened(opening: Opening) -> AsyncIterator[Run]:
    """A run that is ready to play inside the block; its stack is stopped after it."""
    folder = opening.folder
    clock = stepped_clock(folder, START)
    receivers = Receivers(opening.first_port, opening.first_port + 1)
    async with AsyncExitStack() as inside:
        disk = _disk(folder / "mongod", opening.log, inside) if opening.disturbed else None
        await inside.enter_async_context(listening(receivers))
        stack = await inside.enter_async_context(_stack(opening, clock, receivers))
        ledger = inside.enter_context(Ledger(folder / "ledger.jsonl"))
        desks = await inside.enter_async_context(_desks(stack, ledger))
        tap = await inside.enter_async_context(Tap(stack.broker))
        time = ChaosTime(clock, desks, START, replicated=opening.disturbed)
        if opening.patience is not None:
            time.patience = opening.patience
        desks.clock = lambda: time.now
        scene = Scene(stack, tap, receivers, time, desks, Random(opening.seed), disk=disk)  # noqa: S311 (no secret)
        director = Director(scene)
        time.before_step = director.before_step
        await time.settle()
        reader = Reader(f"mongodb://{stack.mongod.address}")
        yield Run(scene, _caseload(opening, desks, time), ledger, director, reader, opening.log)


def _stack(opening: Opening, clock: Path, receivers: Receivers) -> AbstractAsyncContextManager[ChaosStack]:
    folder = opening.folder
    settings = {
        "alerts": receivers.settings(ROOT / "deploy" / "config" / "on_call.json", folder),
        "*": {
            "clinics_file": str(people.clinics_elsewhere(folder, ZONES)),
            "fetch_wait_ms": str(FETCH_WAIT_MS),
        },
    }
    return stacked(
        folder,
        clock,
        settings,
        lambda line: opening.log(f"{line.service}: {line.text}"),
        first_port=opening.first_port + 2,
        replicated=opening.disturbed,
        mutation=opening.mutation,
    )


def _disk(folder: Path, log: Log, inside: AsyncExitStack) -> str | None:
    why_not = small_disk(folder)
    if why_not:
        log(why_not)
        return None
    inside.callback(remove_disk, folder)
    return str(folder)


def _desks(stack: ChaosStack, ledger: Ledger) -> LedgerDesks:
    urls: dict[str, list[str]] = {}
    for name in stack.services:
        replica = stack.replicas[name]
        urls.setdefault(replica.service, []).append(replica.address)
    key = stack.plan.signing_key
    tokens = {role: development_token(key, role) for role in ("coordinator", "clinician", "engineer")}
    return LedgerDesks(urls, tokens, ledger, lambda: START)


def _caseload(opening: Opening, desks: LedgerDesks, time: ChaosTime) -> Caseload:
    caseload = Caseload(desks, time, Agenda(), seed=opening.seed)
    count = REFERRALS_AT_FIRST + REFERRALS_A_WINDOW * opening.windows
    caseload.waiting = list(people.cast(count, opening.seed))
    return caseload
