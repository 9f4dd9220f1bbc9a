"""Take one guarantee away at a time: whatever the suite does not notice then, it cannot vouch for."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from rich.console import Console

from tests.chaos.checks import Violation
from tests.chaos.figures import WindowResult
from tests.chaos.mutations import MUTATIONS
from tests.chaos.side_by_side import Comparison, side_by_side
from tests.chaos.timeline import windows

PROOF_SECONDS = 240.0
"""For one mutation."""

AWAY = ("does not answer", "is unavailable", "answers 5")
"""Of a stack that is stuck: somebody is only slow to come back, which proves nothing."""


async def prove(folder: Path, seed: int, mutations: Sequence[str], console: Console) -> list[str]:
    """The mutations that were not noticed."""
    unnoticed = []
    for mutation in mutations:
        began = monotonic()
        plan = windows(MUTATIONS[mutation])
        asked = Comparison(folder / mutation, seed, plan, began + PROOF_SECONDS, mutation)
        compared = await side_by_side(asked, _silent, _silent)
        found = harm(compared.hurt)
        verdict = "; ".join(violation.line for violation in found) or "[bold red]not noticed[/]"
        struck = sum(bool(result.faults) for result in compared.hurt)
        console.print(
            f"{mutation}, {struck} faults, {monotonic() - began:.0f} s: {verdict}",
            soft_wrap=True,
            highlight=False,
        )
        unnoticed += [] if found else [mutation]
    return unnoticed


def harm(results: Iterable[WindowResult]) -> list[Violation]:
    """The first violation of each kind that a lost guarantee explains, and slowness does not."""
    first: dict[str, Violation] = {}
    for violation in (violation for result in results for violation in result.violations):
        slow = violation.kind == "not_ready" or any(away in violation.evidence for away in AWAY)
        if not slow:
            first.setdefault(violation.kind, violation)
    return list(first.values())


def _silent(_: object) -> None:
    return None
