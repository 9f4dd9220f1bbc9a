"""The supervisor: starts everything, restarts what dies, stops everything in order."""

import asyncio
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Protocol

from deploy.embedded.broker import Broker
from deploy.embedded.keys import ensure_keys
from deploy.embedded.log_watch import LogLine, LogTail, keep_one_generation
from deploy.embedded.mongod import Mongod
from deploy.embedded.plan import Plan
from deploy.embedded.probing import attempts
from deploy.embedded.processes import Process, command_line
from deploy.embedded.services import ServiceProcess
from deploy.embedded.state import Member, StackState, end_leftovers, locked, read_state

LOOK_SECONDS = 0.1
LONG_ENOUGH = 60.0
"""A process that ran this long is restarted without a pause when it dies."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0
SERVICES_STOP, MONGOD_STOP = 5.0, 4.0
"""Seconds each may take to stop; together under ten."""

Say = Callable[[LogLine], None]


class Supervised(Protocol):
    """A process of the stack: mongod, the broker or a service."""

    process: Process | None

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def is_running(self) -> bool: ...
    def start(self) -> None: ...
    async def ready(self, within: float = ...) -> None: ...
    def kill(self) -> None: ...


class Stack:
    """One development stack in one data folder. `say` receives warnings, exits and restarts."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self.plan, self.say = plan, say
        self.mongod = Mongod(plan.data / "mongod", plan.ports.mongod, plan.logs / "mongod.log")
        self.broker = Broker(plan.data / "broker", plan.ports.kafka, plan.logs / "kafka.log")
        self.services = {
            name: ServiceProcess(name, plan, self.mongod.uri, self.broker.address) for name in plan.services
        }
        self.started = datetime.now(UTC)
        self.became_ready: datetime | None = None
        self.seconds = 0.0
        """Seconds until everything was ready."""

        self._keepers: list[asyncio.Task[None]] = []

    @property
    def members(self) -> list[Supervised]:
        return [self.mongod, self.broker, *self.services.values()]

    async def start(self, within: float = 90.0) -> None:
        """Start everything at once and wait until all of it is ready.

        Services take longer to load than the servers to start, and wait for them. Raises `PortTaken`,
        `PortTwice`, `MissingBinary`, `NotReady`; whatever was started by then is stopped.
        """
        begun = time.monotonic()
        self.plan.ports.require_free()
        keep_one_generation(self.plan.logs)
        try:
            for member in self.members:
                member.start()
            ensure_keys(self.plan.signing_key, self.plan.jwks)  # needed only once services are ready
            self._save()
            await _all_ready(self.members, within)
        except BaseException:
            await self.stop()
            raise
        self.became_ready, self.seconds = datetime.now(UTC), time.monotonic() - begun
        self._save()
        self._keepers = [asyncio.create_task(self._keep(member)) for member in self.members]
        self._keepers.append(asyncio.create_task(self._follow_logs()))

    async def stop(self) -> None:
        """Stop the services, then the broker, then mongod; kill those that take too long."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        for late in await _end(self.services.values(), SERVICES_STOP):
            self.say(LogLine(late, "warning", f"did not stop within {SERVICES_STOP:g} s and was killed"))
        self.broker.kill()
        for late in await _end([self.mongod], MONGOD_STOP):
            self.say(LogLine(late, "warning", f"did not stop within {MONGOD_STOP:g} s and was killed"))

    async def _keep(self, member: Supervised) -> None:
        """Restart `member` whenever it dies, after a back-off that grows while it keeps dying."""
        pause = 0.0
        while True:
            since = time.monotonic()
            await _ended(member)
            lived = time.monotonic() - since
            pause = 0.0 if lived > LONG_ENOUGH else min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
            code = member.process.returncode if member.process else None
            self.say(LogLine(member.name, "error", f"{_ending(code)}; starting it again in {pause:g} s"))
            await asyncio.sleep(pause)
            await self._bring_back(member)

    async def _bring_back(self, member: Supervised) -> None:
        begun = time.monotonic()
        try:
            member.start()
            self._save()
            await member.ready(30.0)
        except Exception as failed:  # report any failure; `_keep` retries
            self.say(LogLine(member.name, "error", str(failed).splitlines()[0]))
            return
        self._save()
        self.say(LogLine(member.name, "warning", f"is back after {time.monotonic() - begun:.1f} s"))

    async def _follow_logs(self) -> None:
        tails = [LogTail(name, self.plan.logs / f"{name}.log") for name in self.services]
        for tail in tails:
            tail.skip()
        while True:
            for tail in tails:
                for line in tail.look():
                    self.say(line)
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def state(self) -> StackState:
        return StackState(
            pid=os.getpid(),
            data=self.plan.data,
            started=self.started,
            ready=self.became_ready,
            mongodb=self.mongod.uri,
            kafka=self.broker.address,
            clock_file=self.plan.clock_file,
            jwks=self.plan.jwks,
            signing_key=self.plan.signing_key,
            services={name: _member(service) for name, service in self.services.items()},
            servers={server.name: _member(server) for server in (self.mongod, self.broker)},
        )

    def _save(self) -> None:
        self.state.save()


@asynccontextmanager
async def running(plan: Plan, say: Say, *, within: float = 90.0) -> AsyncIterator[Stack]:
    """A stack that is ready inside the block and stopped after it. Raises `AlreadyRunning` and as `start`."""
    with locked(plan.data):
        for name in end_leftovers(read_state(plan.data)):
            say(LogLine(name, "warning", "was left over from a run that was killed, and is ended"))
        stack = Stack(plan, say)
        await stack.start(within)
        try:
            yield stack
        finally:
            await stack.stop()


async def _all_ready(members: Sequence[Supervised], within: float) -> None:
    """Wait until all members are ready; the first failure ends the wait for the others."""
    waits = [asyncio.create_task(member.ready(within)) for member in members]
    try:
        await asyncio.gather(*waits)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _end(members: Iterable[Supervised], within: float) -> list[str]:
    """Ask all members to stop; return the names of those that had to be killed."""
    running = [member for member in members if member.is_running]
    for member in running:
        if member.process is not None:
            with suppress(ProcessLookupError):
                member.process.send_signal(signal.SIGTERM)
    async for _ in attempts(within):
        if not any(member.is_running for member in running):
            return []
    late = [member for member in running if member.is_running]
    for member in late:
        member.kill()
    return [member.name for member in late]


async def _ended(member: Supervised) -> None:
    async for _ in attempts(math.inf, pause=LOOK_SECONDS):
        if not member.is_running:
            return


def _member(supervised: Supervised) -> Member:
    process = supervised.process
    if process is None:
        return Member(address=supervised.address, pid=0)
    return Member(address=supervised.address, pid=process.pid, command=command_line(process))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended by itself ({code})"
