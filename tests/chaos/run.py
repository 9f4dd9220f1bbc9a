"""One run: a stack, its people, windows with or without their faults, and the checker after each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from deploy.demo.agenda import Agenda
from deploy.demo.desks import Answered
from deploy.demo.settling import Unsettled
from deploy.embedded.clock import stepped_clock
from deploy.embedded.keys import development_token
from deploy.embedded.plan import ROOT
from deploy.embedded.ports import free_ports
from deploy.embedded.probing import attempts
from tests.chaos import people
from tests.chaos.checks import Violation, check
from tests.chaos.checks.state import Known, State, differences, state
from tests.chaos.desks import LedgerDesks
from tests.chaos.director import Director
from tests.chaos.faults import Scene
from tests.chaos.faults.storage import remove_disk, small_disk
from tests.chaos.figures import WindowResult, measure
from tests.chaos.history import History, Reader
from tests.chaos.ledger import Ledger
from tests.chaos.people import Caseload
from tests.chaos.play import REFERRALS_A_WINDOW, REFERRALS_AT_FIRST, Play
from tests.chaos.receivers import Receivers, listening
from tests.chaos.settling import ChaosTime, nobody_asked
from tests.chaos.stack import REPLICAS, ChaosStack, stacked
from tests.chaos.tap import Tap
from tests.chaos.timeline import START, ZONES, Window

CATCH_UP_SECONDS = 20.0
IMPATIENCE_SECONDS = 40.0
"""How long a stack that lacks a guarantee may take to settle."""

BROKEN_OFF = (Unsettled, ConnectionError, Answered)
"""What ends a window before its time: nothing comes to rest, nobody answers, or not as expected."""

Told = Callable[[WindowResult], None]
Meddle = Callable[[History], None]


@dataclass
class Run:
    """A run under way. `states`: the state at the end of each window."""

    scene: Scene
    people: Caseload
    ledger: Ledger
    director: Director
    reader: Reader
    say: Callable[[str], None]
    states: list[State] = field(default_factory=list)
    results: list[WindowResult] = field(default_factory=list)
    meddle: Meddle | None = None
    """Changes what the checker sees: proves that it is not blind."""

    known: set[Violation] = field(default_factory=set)
    differing: Known = field(default_factory=dict)

    async def window(self, window: Window, *, faults: bool, expected: State | None) -> WindowResult:
        result = WindowResult(window.number, window.faults if faults else (), self.scene.time.now.isoformat())
        began = monotonic()
        self.scene.desks.window = window.number
        self.scene.time.verify = self._in_flight if faults and window.faults else nobody_asked
        if faults:
            self.director.begin(window)
        try:
            await Play(self.people, self.director.on_morning).window(window)
            await self.director.finish()
            await self._take_care_of_strangers()
            await self.scene.time.settle()
        except (*BROKEN_OFF, ExceptionGroup) as stuck:
            why = "; ".join(sorted(set(_reasons(stuck))))
            result.violations.append(Violation("stuck", (window.begin.isoformat(),), why))
            await self._say_flows()
            await self.director.finish()
        strike = self.director.strike
        result.struck, result.ready, result.notes = strike.struck, strike.ready, strike.notes
        history = await self._history()
        self._judge(result, history, expected)
        result.took = monotonic() - began
        self.results.append(result)
        return result

    async def _say_flows(self) -> None:
        """What each replica says of itself when the stack does not come to rest."""
        for name in REPLICAS:
            try:
                self.say(f"{name}: {await self.scene.desks.flow_of(name)}")
            except ConnectionError as away:
                self.say(f"{name}: {away}")

    async def _in_flight(self) -> str:
        return await asyncio.to_thread(self.reader.in_flight)

    async def _history(self) -> History:
        """Wait until the tap has read what the outboxes say was published, then read everything."""
        async for left in attempts(CATCH_UP_SECONDS, pause=0.2):
            history = await asyncio.to_thread(self.reader.read, self.scene.time.now)
            history.epoch = self.scene.stack.broker.cluster_id
            seen = self.scene.tap.ids(history.epoch)
            if all(event.id in seen for event in history.announced):
                break
            if left < CATCH_UP_SECONDS - 5 and (missed := await self.scene.tap.read_again()):
                self.director.strike.notes.append(f"{missed} records found by reading the log again")
        history.entries = list(self.ledger.entries)
        history.published = list(self.scene.tap.records)
        history.pages = list(self.scene.receivers.pages)
        history.planted = list(self.scene.planted)
        return history

    def _judge(self, result: WindowResult, history: History, expected: State | None) -> None:
        if self.meddle is not None:
            self.meddle(history)
        found = check(history) if expected is not None else []
        numbers = {id: life.person.number for id, life in self.people.lives.items()}
        now = state(history, numbers)
        self.states.append(now)
        if expected is not None:
            found += differences(now, expected, self.differing)
        result.violations += [violation for violation in found if violation not in self.known]
        result.violations += [
            Violation("not_ready", result.faults, note)
            for note in result.notes
            if note.startswith("not ready")
        ]
        self.known.update(result.violations)
        measure(result, history)

    async def _take_care_of_strangers(self) -> None:
        """Torn crisis messages page people, who look and find nothing."""
        strangers = {planted.key for planted in self.scene.planted if planted.torn} | {"unknown"}
        if not strangers - {"unknown"}:
            return
        await self.scene.time.settle()
        desks = self.scene.desks
        for alert in await desks.all_pages("alerts", "/alerts", kind="crisis", state="open"):
            if alert["patient_id"] in strangers:
                end = {"disposition": "false_alarm", "safety_plan": False}
                end["next_contact"] = self.scene.time.now.isoformat()
                await self._resolve(alert["id"], end, "clinician")
        for alert in await desks.all_pages("alerts", "/alerts", role="engineer", kind="dead_letter"):
            if alert["state"] == "open":
                await self._resolve(alert["id"], {"disposition": "no_action_needed"}, "engineer")

    async def _resolve(self, alert_id: str, end: dict[str, Any], role: str) -> None:
        path, send = f"/alerts/{alert_id}", self.scene.desks.send
        key = self.scene.time.now.isoformat()
        try:
            await send("alerts", "POST", f"{path}/acknowledge", role=role, key=key)
            if role == "clinician":
                found = {"result": "false_alarm", "contact_made": True}
                await send("alerts", "POST", f"{path}/assess", found, role=role, key=key)
            await send("alerts", "POST", f"{path}/resolve", end, role=role, key=key)
        except Answered as refused:
            self.director.strike.notes.append(f"a stranger's alert stays open: {refused.reason}")


def _reasons(stuck: Exception) -> Iterator[str]:
    """Of a group, those of its members. Raises what is a mistake of the suite's own."""
    if isinstance(stuck, ExceptionGroup):
        for one in stuck.exceptions:
            yield from _reasons(one)
    elif isinstance(stuck, BROKEN_OFF):
        yield str(stuck)
    else:
        raise stuck


@asynccontextmanager
async def running(
    folder: Path,
    seed: int,
    windows: int,
    say: Callable[[str], None],
    *,
    disk: bool,
    mutation: str | None = None,
) -> AsyncIterator[Run]:
    """A stack with everything around it, ready to play. `disk`: put mongod on a small one, if possible."""
    clock = stepped_clock(folder, START)
    first = free_ports(2)
    receivers = Receivers(first, first + 1)
    chosen = {
        "alerts": receivers.settings(ROOT / "deploy" / "config" / "on_call.json", folder),
        "*": {"clinics_file": str(people.clinics_elsewhere(folder, ZONES))},
    }
    async with AsyncExitStack() as inside:
        mounted = _disk(folder / "mongod", say, inside) if disk else None
        await inside.enter_async_context(listening(receivers))
        stack = await inside.enter_async_context(
            stacked(
                folder,
                clock,
                chosen,
                lambda line: say(f"{line.service}: {line.text}"),
                mutation=mutation,
            )
        )
        ledger = inside.enter_context(Ledger(folder / "ledger.jsonl"))
        desks = await inside.enter_async_context(_desks(stack, ledger))
        tap = await inside.enter_async_context(Tap(stack.broker))
        time = ChaosTime(clock, desks, START)
        desks._clock = lambda: time.now
        scene = Scene(stack, tap, receivers, time, desks, Random(seed), disk=mounted)  # noqa: S311 (no secret)
        director = Director(scene)
        time.before_step = director.before_step
        caseload = Caseload(desks, time, Agenda(), seed=seed)
        caseload.waiting = list(people.cast(REFERRALS_AT_FIRST + REFERRALS_A_WINDOW * windows, seed))
        await time.settle()
        yield Run(scene, caseload, ledger, director, Reader(f"mongodb://{stack.mongod.address}"), say)


def _disk(folder: Path, say: Callable[[str], None], inside: AsyncExitStack) -> str | None:
    why_not = small_disk(folder)
    if why_not:
        say(why_not)
        return None
    inside.callback(remove_disk, folder)
    return str(folder)


def _desks(stack: ChaosStack, ledger: Ledger) -> LedgerDesks:
    urls: dict[str, list[str]] = {}
    for name, service in REPLICAS.items():
        urls.setdefault(service, []).append(stack.replicas[name].address)
    key = stack.plan.signing_key
    tokens = {role: development_token(key, role) for role in ("coordinator", "clinician", "engineer")}
    return LedgerDesks(urls, tokens, ledger, lambda: START)


async def undisturbed(
    folder: Path, seed: int, windows: Sequence[Window], say: Callable[[str], None], told: Told
) -> Run:
    """The same people and the same clock without any fault: what every other run is compared with."""
    async with running(folder, seed, len(windows), say, disk=False) as run:
        for window in windows:
            told(await run.window(window, faults=False, expected=None))
        run.results[-1].violations += check(await run._history())
    return run


async def disturbed(
    folder: Path,
    seed: int,
    windows: Sequence[Window],
    expected: Sequence[State],
    say: Callable[[str], None],
    told: Told,
    *,
    until: float,
    mutation: str | None = None,
    meddle: Meddle | None = None,
) -> Run:
    """The run with its faults, until all windows are played or the monotonic moment `until` has passed."""
    async with running(folder, seed, len(windows), say, disk=True, mutation=mutation) as run:
        run.meddle = meddle
        if mutation is not None:
            run.scene.time.patience = IMPATIENCE_SECONDS
        for window, state_then in zip(windows, expected, strict=False):
            if monotonic() > until:
                break
            result = await run.window(window, faults=True, expected=state_then)
            told(result)
            if any(violation.kind == "stuck" for violation in result.violations):
                break
    return run
