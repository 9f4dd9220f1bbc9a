"""The sides of the benchmark: how each is started, and what is verified afterwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab import Lab
from deploy.embedded.processes import Process
from deploy.embedded.servers import Broker

GUARANTEES = "one transaction per batch (w: majority, journalled), published after it, offsets last"

STORE_ONLY = "consume and store by upsert (w: majority, journalled): no inbox, transaction or announcement"
LOOSE = "the same and an announcement beside it: nothing ties what is stored to what is announced"


@dataclass(frozen=True)
class Workplace:
    """One side's environment in one round. `label` is usable in names of databases and groups."""

    lab: Lab
    broker: Broker
    label: str
    template: Path

    @property
    def database(self) -> str:
        return f"{self.label}_care_plan"


Start = Callable[[Workplace], AbstractAsyncContextManager[Process]]


@dataclass(frozen=True)
class Contender:
    """`share` is the part of the backlog this side gets, reduced for sides that would take minutes."""

    name: str
    label: str
    note: str
    start: Start
    group: Callable[[Workplace], str] = lambda place: place.label
    announces: bool = True
    share: float = 1.0


@asynccontextmanager
async def kith(place: Workplace) -> AsyncIterator[Process]:
    service = place.lab.service("care_plan", place.broker, database_prefix=f"{place.label}_")
    service.start()
    try:
        assert service.process is not None  # noqa: S101 (it was just started)
        yield service.process
    finally:
        service.stop(within=3.0)


def hand_written(module: str, *, rival: bool = False, announce: bool = True) -> Start:
    def start(place: Workplace) -> AbstractAsyncContextManager[Process]:
        task = {
            "mongodb": place.lab.mongod.uri,
            "database": place.database,
            "kafka": place.broker.address,
            "group": place.label,
            "template": str(place.template),
            "folder": str(place.lab.folder / place.label),
            "announce": announce,
        }
        return place.lab.contender(module, task, rival=rival)

    return start


OURS, LIMIT, TUTORIAL = "Kith's care_plan", "the limit loop", "FastStream, one by one"
QUIX, FAUST = "Quix Streams, batch sink", "faust-streaming, take"
QUIX_ALL, FAUST_ALL = f"{QUIX}, announcing", f"{FAUST}, announcing"

CONTENDERS = (
    Contender(
        OURS,
        "kith",
        f"as it ships, with validation, inbox, metrics and logs; {GUARANTEES}",
        kith,
        group=lambda place: f"care_plan.plans.{place.broker.cluster_id[-8:]}",
    ),
    Contender(
        LIMIT, "limit", f"aiokafka and PyMongo by hand, batches of 500; {GUARANTEES}", hand_written("limit")
    ),
    Contender(
        TUTORIAL,
        "tutorial",
        "a transaction per message (w: majority, journalled), published after it, then acknowledged",
        hand_written("tutorial"),
        share=0.05,
    ),
)
RIVALS = (
    Contender(
        QUIX, "quix", STORE_ONLY, hand_written("quix_sink", rival=True, announce=False), announces=False
    ),
    Contender(QUIX_ALL, "quix_all", LOOSE, hand_written("quix_sink", rival=True)),
    Contender(
        FAUST, "faust", STORE_ONLY, hand_written("faust_take", rival=True, announce=False), announces=False
    ),
    Contender(FAUST_ALL, "faust_all", LOOSE, hand_written("faust_take", rival=True)),
)
