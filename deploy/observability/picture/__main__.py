"""`python -m deploy.observability.picture DIR [--prometheus URL] [--minutes N] [--png]`.

Runs every panel's queries against a running Prometheus and draws each dashboard as `DIR/<dashboard>.svg`,
with `--png` also as a PNG by Chromium. Reports panels without data. Exit status 1 if a query is refused.
"""

import argparse
import sys
from pathlib import Path
from time import time

from httpx2 import TransportError

from deploy.observability.asking import Asking, NotAccepted
from deploy.observability.picture.taking import CannotRender, render, take


def main() -> int:
    asked = _arguments()
    now = time()
    try:
        with Asking(asked.prometheus) as prometheus:
            empty = take(prometheus, asked.folder, now - 60 * asked.minutes, now)
        if asked.png:
            render(asked.folder)
    except (NotAccepted, LookupError, CannotRender) as wrong:
        return _fail(str(wrong))
    except TransportError as away:
        return _fail(f"Prometheus does not answer at {asked.prometheus} ({type(away).__name__})")
    for name in empty:
        sys.stdout.write(f"no data: {name}\n")
    return 0


def _fail(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.observability.picture", description="Draw the dashboards."
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--minutes", type=float, default=10, help="how far back (10)")
    parser.add_argument("--png", action="store_true", help="with Chromium")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
