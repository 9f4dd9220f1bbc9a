"""The order of faults: one of every family, then the next of each, so that a short run covers much."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from random import Random

from tests.chaos.faults import FAMILIES, Fault, pairs

Faults = tuple[str, ...]
"""Names of the faults of one window."""


def every_fault(seed: int, pair_count: int) -> list[Faults]:
    """All faults and some pairs, in turns of families. The seed determines the order within a family."""
    random = Random(seed)  # noqa: S311 (an order of tests, no secret)
    families = [_new_kinds_first(family, random) for family in FAMILIES]
    return in_turn([*([(fault.name,) for fault in family] for family in families), pairs(pair_count, random)])


def in_turn(families: Sequence[Sequence[Faults]]) -> list[Faults]:
    """The first of each family, then the second of each that has one, and so on."""
    return [one for turn in zip_longest(*families) for one in turn if one is not None]


def _new_kinds_first(family: Sequence[Fault], random: Random) -> list[Fault]:
    """Shuffle a family, with repeated kinds (on other replicas or links) after all distinct ones."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, Fault]] = []
    for fault in random.sample(family, len(family)):
        kind = fault.kind or fault.name
        turns.append((seen[kind], fault))
        seen[kind] += 1
    return [fault for _, fault in sorted(turns, key=lambda turn: turn[0])]
