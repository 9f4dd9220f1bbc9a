"""Which faults strike first: one of every family, then the next of each, so that little time shows much."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from random import Random

from tests.chaos.faults import FAMILIES, pairs

Faults = tuple[str, ...]
"""What strikes in one window, by name."""


def every_fault(seed: int, pair_count: int) -> list[Faults]:
    """All of them and some pairs, in turn. The order within a family is the seed's."""
    random = Random(seed)  # noqa: S311 (an order of tests, no secret)
    families = [_new_kinds_first([fault.name for fault in family], random) for family in FAMILIES]
    return in_turn([*([(name,) for name in family] for family in families), pairs(pair_count, random)])


def in_turn(families: Sequence[Sequence[Faults]]) -> list[Faults]:
    """The first of each family, then the second of each that has one, and so on."""
    return [one for turn in zip_longest(*families) for one in turn if one is not None]


def _new_kinds_first(names: Sequence[str], random: Random) -> list[str]:
    """Shuffled; what is only another replica's or another link's comes after all that is different."""
    seen: Counter[str] = Counter()
    turn: dict[str, int] = {}
    for name in random.sample(names, len(names)):
        turn[name] = seen[kind(name)]
        seen[kind(name)] += 1
    return sorted(turn, key=turn.__getitem__)


def kind(name: str) -> str:
    """What is done, whichever replica or link it is done to."""
    return name.partition(":")[0].removesuffix("-2")
