"""`python -m benchmarks [NAME ...] [--quick | --full] [--rounds N] [--results DIR]`.

A quick run shows that everything works; its figures go to `DIR/quick`, which git ignores.
Exit status 0 whatever the figures are, 1 if a side's effects were wrong, 2 for an unknown name.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import chart
from benchmarks.results import Result, printed
from benchmarks.scale import Scale
from benchmarks.topics import Shortfall

Measure = Callable[[Scale, Callable[[str], None]], Coroutine[Any, Any, Result]]
"""Runs one benchmark; its second argument reports progress."""

BENCHMARKS = {
    "consume": "consume.run:run",
    "scaling": "scaling.run:run",
    "course": "whole.course:run",
    "crisis": "whole.crisis:run",
    "crisis_load": "whole.crisis:run_under_load",
    "timers": "timers.run:run",
    "idle": "timers.idle:run",
    "start": "whole.start:run",
    "memory": "whole.memory:run",
    "caseload": "page.caseload:run",
    "open_pages": "page.open_pages:run",
}
"""Benchmark → `module:function` in this package, in the order in which they run."""


def main() -> int:
    args = _arguments()
    unknown = [name for name in args.names if name not in BENCHMARKS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    scale = Scale("quick" if args.quick else "full" if args.full else "normal", args.rounds)
    folder = folder_for(scale, args.results)
    wrong = [name for name in args.names or BENCHMARKS if not run(name, scale, folder)]
    return 1 if wrong else 0


def folder_for(scale: Scale, results: Path) -> Path:
    """The folder for results; figures of a quick run never overwrite others."""
    return results / "quick" if scale.size == "quick" else results


def run(name: str, scale: Scale, folder: Path) -> bool:
    """Run a benchmark, print and save its result; True if all effects were right."""
    print(f"== {name} ({scale.size}, {scale.rounds} rounds)", flush=True)
    measure = measure_of(name)
    try:
        result = asyncio.run(measure(scale, lambda text: print(f"  {text}", flush=True)))
    except Shortfall as shortfall:
        print(f"\n{name}: WRONG EFFECTS: {shortfall}\n", file=sys.stderr, flush=True)
        return False
    result = replace(result, facts={**scale.facts(), **result.facts})
    result.save(folder)
    chart.save(result, folder)
    print(f"\n{printed(result)}", flush=True)
    return True


def measure_of(name: str) -> Measure:
    """The benchmark's function; its module is imported only when needed."""
    module, _, function = BENCHMARKS[name].partition(":")
    measure: Measure = getattr(import_module(f"benchmarks.{module}"), function)
    return measure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=sys.modules["benchmarks"].__doc__
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all of them by default"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, to see that everything works")
    size.add_argument("--full", action="store_true", help="the largest sizes; an hour and more")
    parser.add_argument("--rounds", type=int, default=3, help="how often every side runs (3)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
