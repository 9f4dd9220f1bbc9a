"""`python -m tests.chaos`: runs as many faults as fit the time, all of them, a soak, or chosen ones.

Exits with 1 on any violation, and if no fault took effect.
"""

import argparse
import asyncio
import logging
import sys
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

import structlog
from rich.console import Console

from tests.chaos import report
from tests.chaos.faults import FAULTS, pairs
from tests.chaos.figures import WindowResult
from tests.chaos.mutations import MUTATIONS
from tests.chaos.options import chosen, minutes, options
from tests.chaos.prove import prove
from tests.chaos.side_by_side import Compared, Comparison, side_by_side
from tests.chaos.timeline import windows
from tests.chaos.turns import Faults

AT_ONCE = 5
"""Most violations of a window shown while the run is under way."""

WIDTH = 150
"""Width of tables when the output is not a terminal."""

SOAK_SINGLES, SOAK_PAIRS = 12, 18
LAST_ROUND_SECONDS = 120.0
"""The soak starts no round with less time left than this."""


async def once(folder: Path, seed: int, faults: list[Faults], until: float, console: Console) -> Compared:
    """Play two runs side by side, reporting each window."""
    log_file = folder / "said.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.unlink(missing_ok=True)

    def log(text: str) -> None:
        with log_file.open("a") as lines:
            lines.write(f"{monotonic():.1f} {text}\n")

    def on_window(result: WindowResult) -> None:
        style = "red" if result.violations else ""
        console.print(report.line(result), style=style, soft_wrap=True, highlight=False)
        report.violations(console, [result], most=AT_ONCE)

    plan = windows(faults)
    console.print(f"Seed {seed}, {len(faults)} faults and pairs, beside a run without any:", highlight=False)
    compared = await side_by_side(Comparison(folder, seed, plan, until), log, on_window)
    for text in (report.where_time_went(compared), report.not_reached(compared)):
        console.print(text, soft_wrap=True, highlight=False, style="yellow")
    return compared


async def soak(args: argparse.Namespace, console: Console, until: float) -> list[Compared]:
    """Play seed after seed with random faults and pairs, until the time is up or a violation is found."""
    rounds: list[Compared] = []
    for seed in count(args.seed):
        violated = any(result.violations for one in rounds for result in one.telling)
        if violated or (rounds and monotonic() > until - LAST_ROUND_SECONDS):
            break
        random = Random(seed)  # noqa: S311 (no secret)
        singles = [(name,) for name in random.sample(sorted(FAULTS), SOAK_SINGLES)]
        drawn: list[Faults] = [*singles, *pairs(SOAK_PAIRS, random)]
        random.shuffle(drawn)
        rounds.append(await once(args.folder.resolve(), seed, drawn, until, console))
    return rounds


def be_quiet() -> None:
    """Silence the suite's own clients about servers that are down on purpose."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


async def main(args: argparse.Namespace) -> int:
    console, began = Console(width=None if sys.stdout.isatty() else WIDTH), monotonic()
    if args.prove:
        unproved = await prove(args.folder.resolve(), args.seed, args.only or [*MUTATIONS], console)
        return 1 if unproved else 0
    until = began + 60 * minutes(args)
    rounds = (
        await soak(args, console, until)
        if args.soak
        else [await once(args.folder.resolve(), args.seed, chosen(args), until, console)]
    )
    return report_all(args, console, rounds, monotonic() - began)


def report_all(args: argparse.Namespace, console: Console, rounds: list[Compared], took: float) -> int:
    """Print the table and violations, write the files, and return the exit code."""
    results = [result for compared in rounds for result in compared.telling]
    console.print(report.table(results))
    found = report.violations(console, results)
    summary = report.summary(rounds, took, found)
    report.save(
        args.folder / "report.json",
        results,
        seed=args.seed,
        seconds=round(took, 1),
        violations=found,
        not_reached=[" + ".join(window.faults) for one in rounds for window in one.not_reached],
    )
    if args.document:
        report.document(args.document, results, f"Seed {args.seed}. {summary}")
    console.print(
        f"{summary} Details: {args.folder}/report.json", style="bold red" if found else "bold green"
    )
    struck = any(result.hits for result in results)
    if not struck:
        console.print("Nothing was struck: this run vouches for nothing.", style="bold red")
    return 1 if found or not struck or any(one.is_stuck for one in rounds) else 0


if __name__ == "__main__":
    args = options()
    if args.list:
        Console().print("\n".join(FAULTS), highlight=False)
        raise SystemExit(0)
    be_quiet()
    raise SystemExit(asyncio.run(main(args)))
