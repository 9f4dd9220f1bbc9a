"""The benchmark `consume`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks import rounds
from benchmarks.consume import verifying
from benchmarks.consume.intakes import envelopes, write_template
from benchmarks.consume.sides import (
    CONTENDERS,
    FAUST,
    FAUST_ALL,
    LIMIT,
    OURS,
    QUIX,
    QUIX_ALL,
    RIVALS,
    TUTORIAL,
    Contender,
    Workplace,
)
from benchmarks.lab import Lab, has_rivals, laboratory
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.scale import Scale
from benchmarks.statistics import ratio
from benchmarks.topics import Shortfall, produce
from benchmarks.watching import Watch
from deploy.embedded.processes import Process
from deploy.embedded.servers import Broker
from shared.messaging.envelope import Envelope
from shared.mongo import MongoDatabase

NAME, TITLE = "consume", "Consume → plan → store → announce"
RATE = "events/s"
LEAST = 200
"""Smallest backlog of a side that gets only a share."""

GOALS: tuple[tuple[str, float, float | None], ...] = (
    (LIMIT, 1.0, 1.4),
    (TUTORIAL, 25.0, None),
    (QUIX, 1.2, None),
    (FAUST, 2.4, None),
    (QUIX_ALL, 1.2, None),
    (FAUST_ALL, 2.4, None),
)


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    backlog = envelopes(scale.pick(quick=3_000, normal=20_000))
    contenders = [*CONTENDERS, *(RIVALS if has_rivals() else ())]
    async with laboratory() as lab:
        sides = {c.name: (c.note, partial(measure, lab, c, backlog)) for c in contenders}
        found = await rounds.alternate(sides, scale.rounds, say)
    return Result(
        NAME,
        TITLE,
        RATE,
        "from 10 % stored to the last effect",
        list(found.values()),
        _ratios(found),
        _facts(len(backlog)),
    )


def _ratios(found: Mapping[str, Side]) -> list[Ratio]:
    ours = found[OURS].of(RATE)
    return [
        Ratio(f"Kith / {name}", ratio(ours, found[name].of(RATE)), "higher", goal, moonshot)
        for name, goal, moonshot in GOALS
        if name in found
    ]


def _facts(count: int) -> dict[str, object]:
    facts: dict[str, object] = {"backlog": f"{count} completed intakes; {TUTORIAL}: a twentieth of it"}
    if not has_rivals():
        facts["left out"] = f"{QUIX} and {FAUST}: not installed here (make bench installs them)"
    return facts | machine()


async def measure(
    lab: Lab, contender: Contender, backlog: Sequence[Envelope], number: int
) -> Mapping[str, float]:
    """Produce the backlog, start the side, watch it until it is done, and verify its effects."""
    part = backlog[: max(LEAST, round(len(backlog) * contender.share))]
    label = f"bench_{contender.label}_{number}"
    async with lab.broker() as broker, lab.database(f"{label}_care_plan") as database:
        await produce(broker.address, part)
        place = Workplace(lab, broker, label, write_template(lab.folder / "template.bson"))
        async with contender.start(place) as process:
            watch = _watch(lab, broker, database, process, len(part))
            try:
                await watch.until_done(process)
                last = await _verified(contender, place, database, part)
            except Shortfall as shortfall:
                raise Shortfall(f"{contender.name}: {shortfall}\n{lab.last_words()}") from None
        progress = watch.progress
        return progress.measures(progress.span(last)) | await verifying.bytes_stored(database, len(part))


def _watch(lab: Lab, broker: Broker, database: MongoDatabase, process: Process, total: int) -> Watch:
    async def stored() -> int:
        return int(await database["plans"].estimated_document_count())

    return Watch(stored, total, {"client": process, "mongod": lab.mongod.process, "broker": broker.process})


async def _verified(
    contender: Contender, place: Workplace, database: MongoDatabase, part: Sequence[Envelope]
) -> float | None:
    """Verify all effects; return the time of the last announcement, if any. Raises `Shortfall`."""
    referrals = {envelope.subject for envelope in part}
    address, last = place.broker.address, None
    if contender.announces:
        last = max(seen.at for seen in await verifying.announced(address, referrals))
        await verifying.nothing_pending(database)
    await verifying.plans_stored(database, referrals)
    await verifying.acknowledged(address, contender.group(place), len(part))
    return last
