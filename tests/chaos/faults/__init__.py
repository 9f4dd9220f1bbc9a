"""Every fault by name, to be injected alone or with others."""

from random import Random

from tests.chaos.faults import clocks, messages, network, page, points, processes, receivers, storage
from tests.chaos.faults.base import Act, Fault, Scene, nothing

__all__ = ["FAMILIES", "FAULTS", "Act", "Fault", "Scene", "nothing", "pairs"]


async def _both_unavailable(scene: Scene) -> None:
    await network.DEAD_LETTER_TOPIC.inject(scene)
    await messages.tear(scene)


DEAD_LETTERS = Fault(
    network.DEAD_LETTER_TOPIC.name,
    _both_unavailable,
    network.DEAD_LETTER_TOPIC.heal,
    hold=network.HOLD_SECONDS,
    moment="step",
)
"""Torn messages while dead letters cannot be published."""

FAMILIES: list[list[Fault]] = [
    processes.KILLED,
    processes.FROZEN,
    processes.RESTARTED,
    processes.MONGOD,
    processes.BROKER,
    page.ALL,
    points.COMMIT,
    points.RELAY,
    points.PAGE,
    network.TO_MONGOD,
    [*network.TO_BROKER, DEAD_LETTERS],
    receivers.ALL,
    clocks.ALL,
    messages.ALL,
    storage.ALL,
    [processes.JOINS],
]
"""Families of similar faults: a short run injects one of each family before the next of any."""

FAULTS: dict[str, Fault] = {fault.name: fault for family in FAMILIES for fault in family}

ALONE = {fault.name for fault in clocks.ALL}
"""Faults that are never paired, because they move the clock that everything else waits for."""


def pairs(count: int, random: Random) -> list[tuple[str, ...]]:
    """Random distinct pairs of faults that can happen at once."""
    names = [name for name in FAULTS if name not in ALONE]
    chosen: list[tuple[str, ...]] = []
    while len(chosen) < count:
        pair = tuple(sorted(random.sample(names, 2)))
        if pair not in chosen:
            chosen.append(pair)
    return chosen
