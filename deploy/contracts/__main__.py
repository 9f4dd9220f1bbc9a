"""Writes the published contracts and `docs/events.md` from the code.

Writes nothing if a schema would change in a way that breaks its readers, or if a reader cannot read what was
published before.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.contracts.compatibility import breaks
from deploy.contracts.export import SERVICES, Undescribed, announced, exports, schema
from deploy.contracts.reading import EXAMPLES, kept, readers, to_raise, unread

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Exit status: 1 if `--check` found a problem, or if a problem prevented writing."""
    asked = _parser().parse_args(arguments)
    try:
        changed = {path: new for path, new in exports().items() if _published(root / path) != new}
    except Undescribed as why:
        return _say(str(why))
    broken = [*_broken(changed, root), *dict.fromkeys(p for _, m in readers() for p in unread(root, m))]
    if asked.check:
        stale = [f"{path}: differs from the code; run `python -m deploy.contracts`" for path in changed]
        return _say(*broken, *stale)
    if broken and not asked.break_readers:
        return _say(*broken, "Nothing was written; see --break for an event that was never published.")
    for path, new in changed.items():
        _write(root / path, new, keep=not asked.break_readers)
        sys.stdout.write(f"wrote {path}\n")
    _say(*broken)
    return 0


def _broken(changed: Mapping[str, str], root: Path) -> list[str]:
    """One sentence per change that breaks readers, and one that names the versions to raise."""
    where = defaultdict(list)
    for path, new in changed.items():
        for problem in breaks(path, _published(root / path) or "{}", new):
            where[problem].append(path)
    if not where:
        return []
    events = {schema(event): event for service in SERVICES for event in announced(service)}
    broken = [events[path] for path in dict.fromkeys(path for paths in where.values() for path in paths)]
    return [
        *(f"{', '.join(paths)}: {problem}" for problem, paths in where.items()),
        f"Raise schema_version of {' and of '.join(to_raise(broken))}.",
    ]


def _write(path: Path, new: str, *, keep: bool) -> None:
    """`keep`: move overwritten examples to `earlier/`, so that readers are still checked against them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = path.parent / "earlier" / path.name
    if not keep:
        earlier.unlink(missing_ok=True)
    elif path.parent.match(EXAMPLES) and (put_by := kept(_published(path), new, _published(earlier))):
        earlier.parent.mkdir(exist_ok=True)
        earlier.write_text(put_by)
    path.write_text(new)


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
