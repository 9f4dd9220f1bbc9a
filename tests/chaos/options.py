"""The suite's command line, and the faults it selects."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.turns import Faults, every_fault

FOLDER = Path(".kith/chaos")
PAIRS = 4
SHORT_MINUTES, SOAK_MINUTES = 8.0, 60.0


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Faults under load; exits with 1 on any violation."
    )
    parser.add_argument("--seed", type=int, default=7, help="people, their courses and the order of faults")
    parser.add_argument(
        "--minutes",
        type=float,
        help=f"faults are no longer begun after so long ({SHORT_MINUTES:g}; a soak: {SOAK_MINUTES:g};"
        " with --all or --only: all of them are)",
    )
    parser.add_argument("--all", action="store_true", help="every fault and pair, however long it takes")
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
    return parser.parse_args(arguments)


def minutes(args: argparse.Namespace) -> float:
    """Minutes after which no fault is started."""
    if args.minutes is not None:
        return float(args.minutes)
    if args.soak:
        return SOAK_MINUTES
    return math.inf if args.all or args.only else SHORT_MINUTES


def chosen(args: argparse.Namespace) -> list[Faults]:
    """The faults of each window. Raises `SystemExit` for an unknown name."""
    if not args.only:
        return every_fault(args.seed, args.pairs)
    named = [tuple(part.strip() for part in text.split("+")) for text in args.only]
    unknown = {name for names in named for name in names} - FAULTS.keys()
    if unknown:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; see --list")
    return named
