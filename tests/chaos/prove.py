"""Take one guarantee away at a time: whatever the suite does not notice then, it cannot vouch for.

The same faults are played first with every guarantee in place and the same patience. Where that shows harm,
the machine is too slow to prove anything.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from rich.console import Console

from tests.chaos.checks import Violation
from tests.chaos.figures import WindowResult
from tests.chaos.mutations import MUTATIONS
from tests.chaos.side_by_side import Compared, Comparison, side_by_side
from tests.chaos.timeline import windows

PROOF_SECONDS = 240.0
"""For one mutation, and for its control."""

PATIENCE_SECONDS = 40.0
"""How long a stack may take to settle, with and without the guarantee."""

AWAY = ("does not answer", "is unavailable", "answers 5")
"""Of a stack that is stuck: somebody is only slow to come back, which proves nothing."""


async def prove(folder: Path, seed: int, mutations: Sequence[str], console: Console) -> list[str]:
    """The mutations that were not noticed, or whose control failed."""
    unproved = []
    for mutation in mutations:
        began = monotonic()
        is_proved, verdict = await _proved(folder / mutation, seed, mutation)
        console.print(f"{mutation}, {monotonic() - began:.0f} s: {verdict}", soft_wrap=True, highlight=False)
        unproved += [] if is_proved else [mutation]
    return unproved


async def _proved(folder: Path, seed: int, mutation: str) -> tuple[bool, str]:
    control = await _played(folder, seed, mutation, None)
    if (why := failing(control)) is not None:
        return False, f"[bold red]no control[/]: with every guarantee in place, {why}"
    mutant = await _played(folder, seed, mutation, mutation)
    found, struck = harm(mutant.hurt), sum(result.hits for result in mutant.hurt)
    verdict = "; ".join(violation.line for violation in found) or "[bold red]not noticed[/]"
    return bool(found), f"{struck} faults struck: {verdict}"


async def _played(folder: Path, seed: int, name: str, mutation: str | None) -> Compared:
    """The faults under which `name` does harm, with that guarantee or without it."""
    plan, until = windows(MUTATIONS[name]), monotonic() + PROOF_SECONDS
    asked = Comparison(folder, seed, plan, until, mutation, patience=PATIENCE_SECONDS)
    return await side_by_side(asked, _silent, _silent)


def failing(control: Compared) -> str | None:
    """Why a run with every guarantee is no control: something violated, or nothing struck."""
    found = [violation.line for result in control.telling for violation in result.violations]
    if found:
        return "; ".join(found[:3])
    return None if any(result.hits for result in control.hurt) else "nothing was struck"


def harm(results: Iterable[WindowResult]) -> list[Violation]:
    """The first violation of each kind that a lost guarantee explains, and slowness does not.

    A stack that does not come to rest and breaks nothing else may only be slow.
    """
    first: dict[str, Violation] = {}
    for violation in (violation for result in results for violation in result.violations):
        slow = violation.kind == "not_ready" or any(away in violation.evidence for away in AWAY)
        if not slow:
            first.setdefault(violation.kind, violation)
    return list(first.values()) if first.keys() - {"stuck"} else []


def _silent(_: object) -> None:
    return None
