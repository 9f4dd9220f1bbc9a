"""Which faults strike first: one of every family, then the next of each, so that little time shows much."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from random import Random

from tests.chaos.faults import FAMILIES, Fault, pairs

Faults = tuple[str, ...]
"""What strikes in one window, by name."""


def every_fault(seed: int, pair_count: int) -> list[Faults]:
    """All of them and some pairs, in turn. The order within a family is the seed's."""
    random = Random(seed)  # noqa: S311 (an order of tests, no secret)
    families = [_new_kinds_first(family, random) for family in FAMILIES]
    return in_turn([*([(fault.name,) for fault in family] for family in families), pairs(pair_count, random)])


def in_turn(families: Sequence[Sequence[Faults]]) -> list[Faults]:
    """The first of each family, then the second of each that has one, and so on."""
    return [one for turn in zip_longest(*families) for one in turn if one is not None]


def _new_kinds_first(family: Sequence[Fault], random: Random) -> list[Fault]:
    """Shuffled; what is only another replica's or another link's comes after all that is different."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, Fault]] = []
    for fault in random.sample(family, len(family)):
        kind = fault.kind or fault.name
        turns.append((seen[kind], fault))
        seen[kind] += 1
    return [fault for _, fault in sorted(turns, key=lambda turn: turn[0])]
