"""Rounds in which the sides take turns, so that drift of the machine affects all of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from benchmarks.results import Side

Run = Callable[[int], Awaitable[Mapping[str, float]]]
"""Runs one side in the round of that number, and returns its measurements."""


def order(names: Sequence[str], number: int) -> list[str]:
    """The given order in even rounds, reversed in odd ones."""
    return list(names) if number % 2 == 0 else list(reversed(names))


async def alternate(
    sides: Mapping[str, tuple[str, Run]], rounds: int, say: Callable[[str], None]
) -> dict[str, Side]:
    """Run every side in every round. `sides`: name → (note, run)."""
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in order(list(sides), number):
            measured = await sides[name][1](number)
            found[name].append(measured)
            told = ", ".join(f"{measure} {value:,.1f}" for measure, value in measured.items())
            say(f"round {number + 1} of {rounds}: {name}: {told}")
    return {name: Side(name, note, found[name]) for name, (note, _) in sides.items()}
