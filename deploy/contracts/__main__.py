"""`python -m deploy.contracts` writes the contracts, `--check` fails on drift or an incompatible change."""

import sys
from pathlib import Path

from deploy.contracts.compatibility import breaks
from deploy.contracts.export import exports

ROOT = Path(__file__).parents[2]


def main() -> int:
    check = "--check" in sys.argv[1:]
    problems = []
    for path, content in exports().items():
        target = ROOT / path
        before = target.read_text() if target.exists() else None
        if before == content:
            continue
        if before is not None:
            problems += [f"{path}: {problem}" for problem in breaks(path, before, content)]
        if check:
            problems.append(f"{path}: differs from the code; run `python -m deploy.contracts`")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            sys.stdout.write(f"wrote {path}\n")
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
