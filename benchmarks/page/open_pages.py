"""The benchmark `open_pages`: what a message costs the dashboard with 200 pages open, and with none."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from aiokafka import AIOKafkaProducer

from benchmarks import rounds
from benchmarks.consume.intakes import envelopes
from benchmarks.lab import Lab, laboratory
from benchmarks.machine import cpu_seconds, machine
from benchmarks.results import Ratio, Result
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.topics import Shortfall
from deploy.embedded.keys import development_token
from deploy.embedded.plan import PAGE, ROOT
from deploy.embedded.processes import spawn, stop
from deploy.embedded.servers import Broker
from shared.messaging.publishing import Publisher

NAME, TITLE = "open_pages", "A message's cost to the dashboard, with and without open pages"
COST = "CPU µs a message"
PAGES, NONE = 200, 0
GOAL = 2.0
AT_ONCE, PAUSE = 50, 0.1
"""Messages are published evenly: 500 a second."""

PATIENCE = 180.0


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    count = scale.pick(quick=2_000, normal=10_000)
    async with laboratory() as lab:

        def side(pages: int) -> rounds.Run:
            async def measure(number: int) -> Mapping[str, float]:
                async with _dashboard(lab, f"bench_open_{pages}_{number}_") as (url, pid, broker, prefix):
                    return await _measured(lab, url, pid, broker, prefix, pages, count)

            return measure

        names = f"{PAGES} open pages", "no open page"
        note = "each follows /live and fetches the caseload anew at most once a second"
        sides = await rounds.alternate(
            {names[0]: (note, side(PAGES)), names[1]: ("messages alone", side(NONE))}, scale.rounds, say
        )
    cost = ratio(sides[names[0]].of(COST), sides[names[1]].of(COST))
    ratios = [Ratio(f"{names[0]} / {names[1]}", cost, "lower", GOAL)]
    unit = "of the dashboard's process"
    return Result(NAME, TITLE, COST, unit, list(sides.values()), ratios, machine(), ours=2)


@asynccontextmanager
async def _dashboard(lab: Lab, prefix: str) -> AsyncIterator[tuple[str, int, Broker, str]]:
    """As it ships, in a process of its own."""
    async with lab.broker() as broker, lab.database(f"{prefix}{PAGE}"):
        service = lab.service(PAGE, broker, database_prefix=prefix)
        service.start()
        try:
            await service.ready(60)
            assert service.process is not None  # noqa: S101 (it was just started)
            yield service.address, service.process.pid, broker, prefix
        finally:
            service.stop(within=5.0)


async def _measured(
    lab: Lab, url: str, pid: int, broker: Broker, prefix: str, pages: int, count: int
) -> Mapping[str, float]:
    async with _viewers(lab, url, pages):
        begun, before = monotonic(), cpu_seconds(pid)
        await _publish(broker, count)
        await _everybody_shown(lab, prefix, count)
        return {COST: (cpu_seconds(pid) - before) / count * 1e6, "seconds": monotonic() - begun}


@asynccontextmanager
async def _viewers(lab: Lab, url: str, pages: int) -> AsyncIterator[None]:
    """So many open pages in a process of their own, all connected. Raises `Shortfall`."""
    if not pages:
        yield
        return
    key, opened = lab.plan().signing_key, lab.folder / "opened"
    tokens = [development_token(key, "coordinator", subject=f"viewer_{n}") for n in range(pages)]
    opened.write_text("0")
    task = {"url": url, "tokens": tokens, "opened": str(opened)}
    command = [sys.executable, "-m", "benchmarks.page.viewing", json.dumps(task)]
    log = lab.folder / "logs" / "viewing.log"
    process = spawn(command, folder=ROOT, log=log, environment=os.environ)
    try:
        await _until(lambda: _read(opened) >= pages, "all pages open")
        yield
        if process.poll() is not None:
            raise Shortfall(f"the pages did not stay open: {log.read_text()[-300:]}")
    finally:
        stop(process, within=3.0)


def _read(path: Path) -> int:
    text = path.read_text()
    return int(text) if text else 0


async def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + PATIENCE
    while not holds():
        if monotonic() > deadline:
            raise Shortfall(f"{what}: not within {PATIENCE:g} s")
        await asyncio.sleep(0.1)


async def _publish(broker: Broker, count: int) -> None:
    publisher = Publisher(AIOKafkaProducer(bootstrap_servers=broker.address, acks="all"))
    await publisher.start()
    messages = envelopes(count)
    for start in range(0, count, AT_ONCE):
        await publisher.publish(messages[start : start + AT_ONCE])
        await asyncio.sleep(PAUSE)
    await publisher.stop()


async def _everybody_shown(lab: Lab, prefix: str, count: int) -> None:
    """Raises `Shortfall` unless all stand in the read model, each once."""
    deadline = monotonic() + PATIENCE
    async with lab.looking(f"{prefix}{PAGE}") as database:
        while (shown := await database["people"].count_documents({})) != count:
            if monotonic() > deadline:
                raise Shortfall(f"{shown} of {count} people are shown")
            await asyncio.sleep(0.2)
