"""The benchmark `open_pages`: a message's cost to the dashboard with 200 open pages and with none."""

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
from benchmarks.page.viewing import Seen
from benchmarks.results import Ratio, Result
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.topics import Shortfall
from deploy.embedded.keys import development_token
from deploy.embedded.plan import PAGE, ROOT
from deploy.embedded.processes import Process, last_lines, spawn, stop
from deploy.embedded.servers import Broker
from shared.messaging.publishing import Publisher

NAME, TITLE = "open_pages", "A message's cost to the dashboard, with and without open pages"
COST = "CPU µs a message"
PAGES, NONE = 200, 0
CLINICS = tuple(f"clinic{number:02}" for number in range(10))
"""People and viewers are assigned to these in turn."""

GOAL = 2.0
AT_ONCE, PAUSE = 50, 0.1
"""Messages are published evenly, at most 500 a second."""

PACE = 0.8
"""Minimum per second, while messages arrive, of changes sent to each page and of fetches of each region:
`regions.js` fetches once a second."""

LEAST_REGIONS = 1
"""Least number of regions of a caseload page that change with people: its groups and people."""

TRAILING_SECONDS = 1.0
"""Also measured, so that fetches still pending on open pages are charged."""

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
        note = (
            f"of {len(CLINICS)} clinics; each follows /live and fetches all its regions anew, once a second"
        )
        sides = await rounds.alternate(
            {names[0]: (note, side(PAGES)), names[1]: ("messages alone", side(NONE))}, scale.rounds, say
        )
    cost = ratio(sides[names[0]].of(COST), sides[names[1]].of(COST))
    ratios = [Ratio(f"{names[0]} / {names[1]}", cost, "lower", GOAL)]
    unit = "of the dashboard's process"
    facts = {"messages": f"{count:,}", **machine()}
    return Result(NAME, TITLE, COST, unit, list(sides.values()), ratios, facts, ours=2)


@asynccontextmanager
async def _dashboard(lab: Lab, prefix: str) -> AsyncIterator[tuple[str, int, Broker, str]]:
    """The dashboard as shipped, in its own process: its URL, process id, broker and database prefix."""
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
    async with _viewers(lab, url, pages) as report:
        begun, before, already = monotonic(), cpu_seconds(pid), Seen.read(report)
        await _publish(broker, count)
        busy, during = monotonic() - begun, Seen.read(report)
        await _everybody_shown(lab, prefix, count)
        shown = monotonic() - begun
        await asyncio.sleep(TRAILING_SECONDS)
        spent, in_the_end = cpu_seconds(pid) - before, Seen.read(report)
    figures = pace(already, during, busy) if pages else {}
    if in_the_end.full < pages:
        raise Shortfall(f"{in_the_end.full} of {pages} pages have shown somebody")
    return {COST: spent / count * 1e6, "seconds": shown, **figures}


def pace(already: Seen, during: Seen, seconds: float) -> dict[str, float]:
    """Changes and fetches per page and second while messages arrived. Raises `Shortfall` if too few."""
    each = during.regions / during.pages
    if each < LEAST_REGIONS:
        raise Shortfall(f"a page has {each:g} regions that are kept up to date")
    changes = (during.events - already.events) / during.pages / seconds
    fetches = (during.fetches - already.fetches) / during.pages / seconds
    if changes < PACE or fetches < PACE * each:
        told = f"each page was told of {changes:.2f} changes a second and made {fetches:.2f} fetches"
        raise Shortfall(f"{told} of {each:g} regions: too little to judge what they cost")
    return {"changes/page/s": changes, "fetches/page/s": fetches}


@asynccontextmanager
async def _viewers(lab: Lab, url: str, pages: int) -> AsyncIterator[Path]:
    """Keep `pages` pages open in a separate process; yield the path of its report. Raises `Shortfall`."""
    report = lab.folder / "seen.json"
    report.unlink(missing_ok=True)
    if not pages:
        yield report
        return
    key = lab.plan().signing_key
    tokens = [
        development_token(key, "coordinator", clinic=CLINICS[n % len(CLINICS)], subject=f"viewer_{n}")
        for n in range(pages)
    ]
    task = {"url": url, "tokens": tokens, "report": str(report)}
    command = [sys.executable, "-m", "benchmarks.page.viewing", json.dumps(task)]
    log = lab.folder / "logs" / "viewing.log"
    process = spawn(command, folder=ROOT, log=log, environment=os.environ)
    try:
        await _until(lambda: process.poll() is not None or Seen.read(report).pages >= pages, "all pages open")
        _require_open(process, log)
        yield report
        _require_open(process, log)
    finally:
        stop(process, within=3.0)


def _require_open(process: Process, log: Path) -> None:
    if process.poll() is not None:
        raise Shortfall(f"the pages did not stay open: {last_lines(log, 8)}")


async def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + PATIENCE
    while not holds():
        if monotonic() > deadline:
            raise Shortfall(f"{what}: not within {PATIENCE:g} s")
        await asyncio.sleep(0.1)


async def _publish(broker: Broker, count: int) -> None:
    publisher = Publisher(AIOKafkaProducer(bootstrap_servers=broker.address, acks="all"))
    await publisher.start()
    messages = envelopes(count, CLINICS)
    for start in range(0, count, AT_ONCE):
        await publisher.publish(messages[start : start + AT_ONCE])
        await asyncio.sleep(PAUSE)
    await publisher.stop()


async def _everybody_shown(lab: Lab, prefix: str, count: int) -> None:
    """Wait until the read model shows all people, each once. Raises `Shortfall`."""
    deadline = monotonic() + PATIENCE
    async with lab.looking(f"{prefix}{PAGE}") as database:
        while (shown := await database["people"].count_documents({})) != count:
            if monotonic() > deadline:
                raise Shortfall(f"{shown} of {count} people are shown")
            await asyncio.sleep(0.2)
