"""`python -m deploy.observability.rehearsal DIR [--minutes 10] [--every 5] [--calm]`.

Starts the embedded stack, the watchdog and Prometheus on the shipped configuration, lets simulated people
work for some minutes of real time while faults occur, and draws the dashboards into DIR.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from deploy.embedded.log_watch import LogLine
from deploy.embedded.probing import NotReady
from deploy.observability.asking import Asking
from deploy.observability.picture.taking import CannotRender, render, take
from deploy.observability.prometheus import NotInstalled
from deploy.observability.rehearsal.mishaps import mishaps
from deploy.observability.rehearsal.people import work
from deploy.observability.rehearsal.stage import stage

SEED = 7


def main() -> int:
    asked = _arguments()
    try:
        asyncio.run(rehearse(asked.folder, asked.minutes, asked.every, calm=asked.calm))
        render(asked.folder)
    except (NotInstalled, NotReady, CannotRender) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    return 0


async def rehearse(pictures: Path, minutes: float, every: float, *, calm: bool) -> None:
    with TemporaryDirectory(prefix="kith-rehearsal-") as folder:
        async with stage(Path(folder), every, _say) as set_up:
            begun, seconds = time(), 60 * minutes
            tasks = [asyncio.create_task(work(set_up.desks, SEED))]
            if not calm:
                tasks.append(asyncio.create_task(mishaps(set_up.stack, seconds)))
            await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with Asking(set_up.prometheus.address) as prometheus:
                for name in take(prometheus, pictures, begun, time()):
                    sys.stdout.write(f"no data: {name}\n")


def _say(line: LogLine) -> None:
    sys.stdout.write(f"{line.service}: {line.text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.observability.rehearsal", description="Fill the dashboards and draw them."
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=5, help="seconds between scrapes (5)")
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
