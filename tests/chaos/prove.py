"""Mutation tests of the suite: takes one guarantee away at a time, and checks that the suite notices.

The faults under which the mutation does harm are played until harm is seen, and then once more as a control,
with every guarantee in place and the same patience. If the control shows harm too, the machine is too slow
to prove anything.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from rich.console import Console

from tests.chaos.checks import Violation
from tests.chaos.figures import WindowResult
from tests.chaos.mutations import MUTATIONS
from tests.chaos.side_by_side import Compared, Comparison, side_by_side
from tests.chaos.timeline import Window, windows

PROOF_SECONDS = 240.0
"""Most seconds for one mutation, and for its control."""

PATIENCE_SECONDS = 40.0
"""Seconds that a stack may take to settle, with and without the guarantee."""

AWAY = ("does not answer", "is unavailable", "answers 5")
"""Evidence of a stuck stack in which a service is only slow to return, which proves nothing."""


async def prove(folder: Path, seed: int, mutations: Sequence[str], console: Console) -> list[str]:
    """Return the mutations that were not noticed or whose control failed."""
    unproved = []
    for mutation in mutations:
        began = monotonic()
        is_proved, verdict = await _proved(folder / mutation, seed, mutation)
        console.print(f"{mutation}, {monotonic() - began:.0f} s: {verdict}", soft_wrap=True, highlight=False)
        unproved += [] if is_proved else [mutation]
    return unproved


async def _proved(folder: Path, seed: int, mutation: str) -> tuple[bool, str]:
    plan = windows(MUTATIONS[mutation])
    mutant = await _played(folder, seed, plan, mutation)
    found, struck = harm(mutant.hurt), sum(result.hits for result in mutant.hurt)
    if not found:
        return False, f"{struck} faults struck: [bold red]not noticed[/]"
    control = await _played(folder, seed, plan[: len(mutant.hurt)], None)
    if (why := failing(control)) is not None:
        return False, f"[bold red]no control[/]: with every guarantee in place, {why}"
    return True, f"{struck} faults struck: {'; '.join(violation.line for violation in found)}"


async def _played(folder: Path, seed: int, plan: Sequence[Window], mutation: str | None) -> Compared:
    """Play with every guarantee, or without one, until harm is seen or the time is up."""
    until, seen = monotonic() + PROOF_SECONDS, list[WindowResult]()

    def enough(last: WindowResult) -> bool:
        return bool(last.hits and harm(seen))

    comparison = Comparison(folder, seed, plan, until, mutation, patience=PATIENCE_SECONDS, enough=enough)
    return await side_by_side(comparison, _silent, seen.append)


def failing(control: Compared) -> str | None:
    """Why a run with every guarantee fails as control: a violation, or no fault took effect. Else None."""
    found = [violation.line for result in control.telling for violation in result.violations]
    if found:
        return "; ".join(found[:3])
    return None if any(result.hits for result in control.hurt) else "nothing was struck"


def harm(results: Iterable[WindowResult]) -> list[Violation]:
    """The first violation of each kind that a lost guarantee explains and slowness does not.

    A stack that does not come to rest but breaks nothing else may only be slow.
    """
    first: dict[str, Violation] = {}
    for violation in (violation for result in results for violation in result.violations):
        slow = violation.kind == "not_ready" or any(away in violation.evidence for away in AWAY)
        if not slow:
            first.setdefault(violation.kind, violation)
    return list(first.values()) if first.keys() - {"stuck"} else []


def _silent(_: object) -> None:
    return None
