"""`python -m tests.chaos`: the short form, the soak, chosen faults. Exit 1 on any violation."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

from rich.console import Console

from tests.chaos import report
from tests.chaos.faults import FAULTS, pairs
from tests.chaos.faults.storage import remove_disk
from tests.chaos.figures import WindowResult
from tests.chaos.mutations import MUTATIONS
from tests.chaos.run import disturbed, undisturbed
from tests.chaos.timeline import windows

FOLDER = Path(".kith/chaos")
PAIRS = 4
WIDTH = 150
"""Of a table that no terminal shows."""

PROOF_SECONDS = 150.0
SOAK_SINGLES, SOAK_PAIRS = 12, 18
LAST_ROUND_SECONDS = 240.0
"""A round of the soak is not begun with less time than this."""

SOAK_MINUTES, SHORT_MINUTES = 60.0, 9.0


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="people, their courses and the order of faults")
    parser.add_argument("--minutes", type=float, help="faults are no longer begun after so long")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="FAULT",
        help="these alone; A+B is a pair (with --prove: these mutations)",
    )
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how many pairs besides all single faults")
    parser.add_argument("--soak", action="store_true", help="random faults and pairs, seed after seed")
    parser.add_argument("--prove", action="store_true", help="take guarantees away; the suite must notice")
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="data, logs and report.json go here")
    parser.add_argument("--document", type=Path, help="put the figures between the marks of this file")
    parser.set_defaults(drawn=[])
    return parser.parse_args(arguments)


def chosen(asked: argparse.Namespace) -> list[tuple[str, ...]]:
    """The faults of each window. Raises `SystemExit` for a name nobody knows."""
    if asked.drawn:
        return list(asked.drawn)
    if asked.only:
        named = [tuple(part.strip() for part in text.split("+")) for text in asked.only]
        unknown = {name for names in named for name in names} - FAULTS.keys()
        if unknown:
            sys.exit(f"no such fault: {', '.join(sorted(unknown))}; see --list")
        return named
    singles = [(name,) for name in FAULTS]
    return [*singles, *pairs(asked.pairs, Random(asked.seed))]  # noqa: S311 (no secret)


async def short(asked: argparse.Namespace, console: Console, until: float) -> list[WindowResult]:
    """The undisturbed run, then the same with faults."""
    folder = asked.folder.resolve()
    plan = windows(chosen(asked), asked.seed)

    def say(text: str) -> None:
        with (folder / "said.log").open("a") as log:
            log.write(f"{monotonic():.1f} {text}\n")

    def told(result: WindowResult) -> None:
        console.print(
            report.line(result), style="red" if result.violations else "", soft_wrap=True, highlight=False
        )

    remove_disk(folder / "disturbed" / "mongod")  # of a run that was killed
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console.print(f"Undisturbed, {len(plan)} windows, seed {asked.seed}:")
    calm = await undisturbed(folder / "undisturbed", asked.seed, plan, say, told)
    console.print("With faults:")
    hurt = await disturbed(folder / "disturbed", asked.seed, plan, calm.states, say, told, until=until)
    why = "the stack is stuck" if _is_stuck(hurt.results) else "no time left"
    for window in plan[len(hurt.results) :]:
        console.print(f"not run, {why}: {' + '.join(window.faults)}", style="yellow")
    return [result for run in (calm, hurt) for result in run.results if result.faults or result.violations]


async def soak(asked: argparse.Namespace, console: Console, until: float) -> list[WindowResult]:
    """Seed after seed, faults and pairs drawn at random, until the time is up."""
    results: list[WindowResult] = []
    for seed in count(asked.seed):
        if monotonic() > until - LAST_ROUND_SECONDS:
            return results
        random = Random(seed)  # noqa: S311 (no secret)
        singles = [(name,) for name in random.sample(sorted(FAULTS), SOAK_SINGLES)]
        asked.seed, asked.drawn = seed, [*singles, *pairs(SOAK_PAIRS, random)]
        results += await short(asked, console, until)
        if any(result.violations for result in results):
            return results
    return results


async def prove(asked: argparse.Namespace, console: Console) -> list[str]:
    """Take one guarantee away at a time; what the suite did not notice."""
    folder = asked.folder.resolve()
    unnoticed = []
    for mutation in asked.only or MUTATIONS:
        plan = windows(MUTATIONS[mutation], asked.seed)
        places = [folder / mutation / name for name in ("undisturbed", "disturbed")]
        for place in places:
            remove_disk(place / "mongod")
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
        calm = await undisturbed(places[0], asked.seed, plan, _silent, _silent)
        until = monotonic() + PROOF_SECONDS
        hurt = await disturbed(
            places[1], asked.seed, plan, calm.states, _silent, _silent, until=until, mutation=mutation
        )
        found = {violation.kind for result in hurt.results for violation in result.violations}
        console.print(f"{mutation}: {', '.join(sorted(found)) or '[bold red]not noticed[/]'}")
        unnoticed += [] if found else [mutation]
    return unnoticed


def _silent(_: object) -> None:
    return None


def _is_stuck(results: Sequence[WindowResult]) -> bool:
    return any(violation.kind == "stuck" for result in results for violation in result.violations)


async def main(asked: argparse.Namespace) -> int:
    console, began = Console(width=None if sys.stdout.isatty() else WIDTH), monotonic()
    if asked.prove:
        return 1 if await prove(asked, console) else 0
    minutes = asked.minutes or (SOAK_MINUTES if asked.soak else SHORT_MINUTES)
    results = await (soak if asked.soak else short)(asked, console, began + 60 * minutes)
    console.print(report.table(results))
    found = report.violations(console, results)
    took = monotonic() - began
    report.save(
        asked.folder / "report.json", results, seed=asked.seed, seconds=round(took, 1), violations=found
    )
    if asked.document:
        summary = (
            f"Seed {asked.seed}, {len(results)} faults and pairs, {took:.0f} s in all, {found} violations."
        )
        report.document(asked.document, results, summary)
    verdict = "[bold green]no violation[/]" if not found else f"[bold red]{found} violations[/]"
    console.print(
        f"{len(results)} faults and pairs in {took:.0f} s: {verdict}. Details: {asked.folder}/report.json"
    )
    return 1 if found else 0


if __name__ == "__main__":
    asked = options()
    if asked.list:
        Console().print("\n".join(FAULTS), highlight=False)
        raise SystemExit(0)
    raise SystemExit(asyncio.run(main(asked)))
