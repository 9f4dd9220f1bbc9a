"""A service as one process: HTTP, Kafka traffic, tickers."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared import logs, migrations, operations, tracing
from shared.auth import Verifier
from shared.errors import SettingRefused
from shared.gauges import Gauges
from shared.http import commands
from shared.http.app import create_app
from shared.messaging import consumption, lease, outbox
from shared.messaging.asyncapi import document
from shared.messaging.messaging import Messaging
from shared.messaging.work import Conflict
from shared.metrics import RETRIES
from shared.mongo import is_duplicate_key, refusal
from shared.service import Service, Ticker
from shared.settings import PREFIX, Settings

log = structlog.get_logger()

TICK_SECONDS = 0.25
STEPPED_CLOCK_SECONDS = 0.025
"""How often a stepped clock is read; `GET /flow` reads it at once."""

REQUESTS_SECONDS, SHUTDOWN_SECONDS = 2, 7
"""Time for open requests, then for batches, to finish after SIGTERM: under 10 s in total."""

GARBAGE_THRESHOLD = 50_000
"""Batches create many short-lived objects; Python's default would collect a hundred times a batch."""

SWITCH_SECONDS = 0.001
"""How long a reply of MongoDB's, read in the driver's thread, waits for a busy event loop."""


class Process:
    """A running service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.messaging = Messaging(
            service.name,
            settings=service.settings,
            database=service.database,
            subscriptions=service.subscriptions,
            open_work=service.open_work,
        )
        if service.follow is not None:
            service.follow(self.messaging)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self._prepared = False
        self._ticking = 0
        self._ticked: dict[str, datetime] = {}
        self.refused: SettingRefused | None = None
        """Set when a server refuses us permanently; `give_up` is called then."""
        self.failed = False
        """Set when a task ended with any other error; `give_up` is called then, too."""
        self.give_up: Callable[[], None] = lambda: None
        self._looked = service.clock.now()

    def app(self) -> FastAPI:
        service = self.service
        app = create_app(
            service=service.name,
            title=service.title,
            version="1",
            routers=[
                *service.routers,
                operations.router(self),
                migrations.router(service.name, service.database, service.migrations),
            ],
            verifier=Verifier.from_settings(service.settings),
            max_body_bytes=service.settings.max_body_bytes,
            readiness=self.readiness,
            liveness=self.alive,
            asyncapi=lambda: document(service.name, service.title, service.events, service.subscriptions),
            lifespan=self._lifespan,
        )
        for middleware in service.middleware:
            app.add_middleware(middleware)
        return app

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self._start("gauges", Gauges(self).run())  # they report not ready while MongoDB is unreachable
        self._start("prepare", self._prepare_and_run())
        try:
            yield
        finally:
            self._stopping.set()
            for task in self._tasks:
                task.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(SHUTDOWN_SECONDS):
                    await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.service.database.close()

    def _start(self, name: str, work: Any) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._look_why)
        self._tasks.append(task)

    def _look_why(self, task: "asyncio.Task[Any]") -> None:
        """End the process if a task failed, because only a new process starts that task again.

        Not every supervisor restarts a process that only reports itself unhealthy (Docker does not).
        """
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, SettingRefused):
            self.refused = error
        else:
            self.failed = True
            log.error("a task ended", task=task.get_name(), error=type(error).__name__)
        self.give_up()

    async def _prepare_and_run(self) -> None:
        await self._prepare()
        self._start("messaging", self.messaging.run())
        for ticker in self.service.tickers:
            self._start(f"ticker-{ticker.name}", self._tick(ticker))
        if self.service.settings.clock_file is not None:
            self._start("clock", self._watch_clock())
        if self.service.migrations:
            self._start("migrations", self._migrations().run(self._stopping))
        for background in self.service.background:
            self._start("background", background(self._stopping))

    def _migrations(self) -> migrations.Migrations:
        service = self.service
        return migrations.Migrations(
            service.database, service.migrations, service=service.name, instance=service.settings.instance
        )

    async def _prepare(self) -> None:
        """Create collections and indexes before the first transaction; retry until MongoDB is up."""
        said = 0.0
        while True:
            try:
                database = self.service.database
                await database.require_replica_set()
                await database.ensure_collections(
                    [
                        *self.service.collections,
                        *consumption.COLLECTIONS,
                        outbox.COLLECTION,
                        lease.COLLECTION,
                        *commands.COLLECTIONS,
                    ]
                )
                await database.ensure_indexes(
                    [*self.service.indexes, *consumption.INDEXES, *outbox.INDEXES, *commands.INDEXES]
                )
            except Exception as error:
                if why := refusal(error):
                    raise SettingRefused("mongodb", why=why) from None
                if monotonic() - said > 5:
                    said = monotonic()
                    log.warning("waiting for MongoDB", error=type(error).__name__, detail=str(error)[:200])
                await asyncio.sleep(0.2)
            else:
                self._prepared = True
                return

    async def _tick(self, ticker: Ticker) -> None:
        """Run a ticker: again at once while there is more to do, else when time or data changed."""
        due = self.service.database.due
        pause = 0.1
        while True:
            seen, now = due.beats, self.service.clock.now()
            self._ticking += 1
            try:
                done = await ticker.tick(now)
                pause = 0.1
            except Exception as error:
                if not (isinstance(error, Conflict) or is_duplicate_key(error)):
                    RETRIES.labels(self.service.name, "tick", type(error).__name__).inc()
                    log.warning("tick failed", ticker=ticker.name, error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
                continue
            finally:
                self._ticking -= 1
                self._ticked[ticker.name] = now
            if not done:
                await due.wait(seen, TICK_SECONDS)

    async def _watch_clock(self) -> None:
        while True:
            await asyncio.sleep(STEPPED_CLOCK_SECONDS)
            self.look_at_clock()

    def look_at_clock(self) -> None:
        """Wake all tickers if a stepped clock has jumped."""
        stepped = self.service.settings.clock_file is not None
        if stepped and (now := self.service.clock.now()) != self._looked:
            self._looked = now
            self.service.database.due.beat()

    async def readiness(self) -> dict[str, bool]:
        try:
            async with asyncio.timeout(2):
                await self.service.database.ping()
            database = True
        except Exception:
            database = False
        return {
            "database": database and self._prepared,
            "broker": self.messaging.cluster_reached,
            "partitions": self.messaging.assigned,
        }

    def alive(self) -> bool:
        return self.messaging.alive and not any(task.done() and not _finished(task) for task in self._tasks)

    async def earliest_due(self) -> datetime | None:
        moments = [moment for ticker in self.service.tickers if (moment := await ticker.due()) is not None]
        return min(moments, default=None)

    @property
    def busy(self) -> bool:
        """Whether work is running, or a ticker has yet to run at the stepped clock's present instant."""
        if self._ticking or self.messaging.flow.working:
            return True
        now = self.service.clock.now()
        stepped = self.service.settings.clock_file is not None
        return stepped and any(self._ticked.get(t.name) != now for t in self.service.tickers)


def _finished(task: "asyncio.Task[Any]") -> bool:
    return not task.cancelled() and task.exception() is None


S = TypeVar("S", bound=Settings)


def run(name: str, settings_class: type[S], build: Callable[[S], Service]) -> None:
    """Run a service until SIGTERM. Exit 2 with one line per setting or file that must be corrected.

    Exit 1 if a task failed, so that a supervisor starts a new process.
    """
    try:
        settings = settings_class.load()
        logs.configure(settings, name)
        service = build(settings)
        tracing.configure(settings, name)
    except (ValueError, OSError) as error:
        sys.stderr.writelines(f"{name}: {line}\n" for line in to_mend(error))
        raise SystemExit(2) from None
    gc.collect()
    gc.freeze()  # exempt long-lived objects from garbage collection
    gc.set_threshold(GARBAGE_THRESHOLD, 2, 2)
    sys.setswitchinterval(SWITCH_SECONDS)
    process = uvloop.run(_serve(service))
    tracing.shut_down()
    if (refused := process.refused) is not None:
        sys.stderr.write(
            f"{name}: {' and '.join(f'{PREFIX}{s}'.upper() for s in refused.settings)}: {refused.why}\n"
        )
        sys.stderr.flush()
    # A client library that hangs on its way out must not keep the process.
    os._exit(int(process.failed) if refused is None else 2)


def to_mend(error: ValueError | OSError, prefix: str = PREFIX) -> list[str]:
    """Return one line per problem of a setting or file, without repeating its value.

    `prefix`: that of the environment variables.
    """
    if isinstance(error, ValidationError):
        return [
            _line(error.title, found, prefix)
            for found in error.errors(include_input=False, include_url=False)
        ]
    if isinstance(error, OSError):
        return [f"cannot read {error.filename}: {error.strerror}"]
    return [str(error)]


def _line(title: str, problem: ErrorDetails, prefix: str) -> str:
    """Format one problem with the variable of its setting, or its place in a file."""
    place = ".".join(str(part) for part in problem["loc"])
    if place and title.endswith("Settings"):
        place = f"{prefix}{place}".upper()
    said = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said


async def _serve(service: Service) -> Process:
    """Serve until shutdown. Returns the process, which records whether it was refused or failed."""
    process, settings = Process(service), service.settings
    server = uvicorn.Server(
        uvicorn.Config(
            process.app(),
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=REQUESTS_SECONDS,
            lifespan="on",
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    process.give_up = lambda: setattr(server, "should_exit", True)
    with suppress(asyncio.CancelledError):
        await server._serve()
    return process
