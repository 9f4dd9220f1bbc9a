"""The benchmark `scaling`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import rounds
from benchmarks.consume import verifying
from benchmarks.consume.intakes import envelopes
from benchmarks.contenders.filling import PLAN_TOPIC, plan_id
from benchmarks.lab import Lab, laboratory
from benchmarks.machine import machine
from benchmarks.results import Ratio, Result, Side
from benchmarks.scale import Scale
from benchmarks.scaling.partitions import declared
from benchmarks.scaling.replicas import Replica, standing_still, working
from benchmarks.statistics import Figure, ratio
from benchmarks.topics import Seen, Shortfall, produce, read
from benchmarks.watching import Progress, Watch
from deploy.embedded.servers import Broker
from shared.messaging.envelope import Envelope
from shared.mongo import MongoDatabase

NAME, TITLE = "scaling", "What an event costs on more partitions, and with a second replica"
COST, RATE = "all µs", "events/s"
NOTE = "care_plan as it ships; in its group before the backlog is there"
SECOND_REPLICA, MORE_PARTITIONS = 1.3, 1.2
TWO_CORES = (
    "service, mongod and broker share two cores, so the rate can grow little whatever the service does. "
    "What can be seen is whether an event costs the same"
)


@dataclass(frozen=True)
class Shape:
    partitions: int
    replicas: int

    @property
    def name(self) -> str:
        partitions = f"{self.partitions} partition{'s' if self.partitions > 1 else ''}"
        return f"{partitions}, {'two replicas' if self.replicas > 1 else 'one replica'}"


ONE, THREE, TWELVE = (Shape(partitions, 1) for partitions in (1, 3, 12))
ONE_SPARE, THREE_BOTH, TWELVE_BOTH = (Shape(partitions, 2) for partitions in (1, 3, 12))
SHAPES = (ONE, THREE, TWELVE, ONE_SPARE, THREE_BOTH, TWELVE_BOTH)

GOALS: tuple[tuple[Shape, Shape, float | None], ...] = (
    (THREE, ONE, None),
    (TWELVE, ONE, MORE_PARTITIONS),
    (ONE_SPARE, ONE, None),
    (THREE_BOTH, THREE, SECOND_REPLICA),
    (TWELVE_BOTH, TWELVE, SECOND_REPLICA),
)


async def run(scale: Scale, say: Callable[[str], None]) -> Result:
    backlog = envelopes(scale.pick(quick=3_000, normal=20_000))
    async with laboratory() as lab:
        sides = {shape.name: (NOTE, partial(measure, lab, shape, backlog)) for shape in SHAPES}
        found = await rounds.alternate(sides, scale.rounds, say)
    return Result(
        NAME,
        TITLE,
        COST,
        "processor time of service, mongod and broker per event",
        list(found.values()),
        [*_costs(found), *_rates(found)],
        {"backlog": f"{len(backlog)} completed intakes", "two cores": TWO_CORES} | machine(),
        ours=len(SHAPES),
    )


def _costs(found: Mapping[str, Side]) -> list[Ratio]:
    return [
        Ratio(f"cost: {a.name} / {b.name}", _ratio(found, a, b, COST), "lower", goal) for a, b, goal in GOALS
    ]


def _rates(found: Mapping[str, Side]) -> list[Ratio]:
    """Ratios of rates, which are reported but not judged."""
    return [Ratio(f"rate: {a.name} / {b.name}", _ratio(found, a, b, RATE), "higher") for a, b, _ in GOALS]


def _ratio(found: Mapping[str, Side], one: Shape, other: Shape, measure: str) -> Figure:
    return ratio(found[one.name].of(measure), found[other.name].of(measure))


async def measure(lab: Lab, shape: Shape, backlog: Sequence[Envelope], number: int) -> Mapping[str, float]:
    """Let replicas join, produce the backlog, wait until it is processed, and verify the effects."""
    label = f"bench_scaling_{shape.partitions}_{shape.replicas}_{number}"
    with declared(shape.partitions):
        async with (
            lab.broker() as broker,
            lab.database(f"{label}_care_plan") as database,
            working(lab, broker, label, shape.replicas, shape.partitions) as replicas,
        ):
            with standing_still(replicas):
                await produce(broker.address, backlog)
            watch = _watch(lab, broker, database, replicas, len(backlog))
            try:
                await watch.until_done(replicas[0].running)
                seen = await _verified(broker, database, backlog)
            except Shortfall as shortfall:
                raise Shortfall(f"{shape.name}: {shortfall}\n{lab.last_words()}") from None
    return _measures(watch.progress, seen)


def _watch(
    lab: Lab, broker: Broker, database: MongoDatabase, replicas: Sequence[Replica], total: int
) -> Watch:
    async def stored() -> int:
        return int(await database["plans"].estimated_document_count())

    clients = {f"client {place}": replica.running for place, replica in enumerate(replicas, start=1)}
    return Watch(stored, total, clients | {"mongod": lab.mongod.process, "broker": broker.process})


async def _verified(broker: Broker, database: MongoDatabase, backlog: Sequence[Envelope]) -> list[Seen]:
    """Verify all effects; return the announcements, possibly with duplicates. Raises `Shortfall`."""
    referrals = {envelope.subject for envelope in backlog}
    await verifying.nothing_pending(database)
    seen = await read(broker.address, PLAN_TOPIC, expected=len(referrals), kind=verifying.STARTED)
    announced_once(seen, referrals)
    await verifying.plans_stored(database, referrals)
    group = f"care_plan.plans.{broker.cluster_id[-8:]}"
    await verifying.acknowledged(broker.address, group, len(backlog))
    return seen


def announced_once(seen: Sequence[Seen], referrals: Collection[str]) -> None:
    """Check that each plan has one announcement. Raises `Shortfall`.

    Publication is at least once: after a pause, either of two replicas may publish what the other has started
    to publish. Duplicates share an id, and consumers drop them.
    """
    subjects = {message.id: message.subject for message in seen}
    verifying.same("announcements", list(subjects.values()), {plan_id(id) for id in referrals})


def _measures(progress: Progress, seen: Sequence[Seen]) -> dict[str, float]:
    """The replicas' costs added up, and the share of announcements published again."""
    found = progress.measures(progress.span(max(message.at for message in seen)))
    again = 100 * (len(seen) / progress.total - 1)
    rate = found.pop(RATE)
    servers = {name: found.pop(name) for name in ("mongod µs", "broker µs")}
    costs = {"client µs": sum(found.values())} | servers
    return {RATE: rate} | costs | {COST: sum(costs.values()), "published again %": again}
