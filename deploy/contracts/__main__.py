"""Writes what the code says into the published contracts and `docs/events.md`.

Nothing is written while one of the schemas would change in a way that its readers do not survive.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from deploy.contracts.compatibility import breaks
from deploy.contracts.export import Undescribed, exports

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Exit status: 1 when `--check` found something, or when something is in the way of writing."""
    asked = _parser().parse_args(arguments)
    try:
        changed = {path: new for path, new in exports().items() if _published(root / path) != new}
    except Undescribed as why:
        return _say(str(why))
    broken = [
        f"{path}: {problem}"
        for path, new in changed.items()
        if (before := _published(root / path)) is not None
        for problem in breaks(path, before, new)
    ]
    if asked.check:
        stale = [f"{path}: differs from the code; run `python -m deploy.contracts`" for path in changed]
        return _say(*broken, *stale)
    if broken and not asked.break_readers:
        return _say(*broken, "Nothing was written: raise the event's schema_version, or see --break.")
    for path, new in changed.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(new)
        sys.stdout.write(f"wrote {path}\n")
    _say(*broken)
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m deploy.contracts", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--check", action="store_true", help="write nothing; fail on drift or an incompatible change"
    )
    either.add_argument(
        "--break",
        dest="break_readers",
        action="store_true",
        help="write an incompatible change as well: only for an event of which no message was ever published",
    )
    return parser


def _published(target: Path) -> str | None:
    return target.read_text() if target.exists() else None


def _say(*problems: str) -> int:
    """The exit status."""
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
