"""Take one guarantee away at a time: whatever the suite does not notice then, it cannot vouch for."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from rich.console import Console

from tests.chaos.mutations import MUTATIONS
from tests.chaos.side_by_side import Comparison, side_by_side
from tests.chaos.timeline import windows

PROOF_SECONDS = 240.0
"""For one mutation."""


async def prove(folder: Path, seed: int, mutations: Sequence[str], console: Console) -> list[str]:
    """The mutations that were not noticed."""
    unnoticed = []
    for mutation in mutations:
        began = monotonic()
        asked = Comparison(
            folder / mutation, seed, windows(MUTATIONS[mutation]), began + PROOF_SECONDS, mutation
        )
        compared = await side_by_side(asked, _silent, _silent)
        found = sorted({violation.kind for result in compared.hurt for violation in result.violations})
        verdict = ", ".join(found) or "[bold red]not noticed[/]"
        console.print(f"{mutation}: {verdict} ({monotonic() - began:.0f} s)", highlight=False)
        unnoticed += [] if found else [mutation]
    return unnoticed


def _silent(_: object) -> None:
    return None
