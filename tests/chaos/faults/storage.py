"""A full disk under mongod."""

import asyncio
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.chaos.faults.base import Fault, Scene

DISK_BYTES = 1_500_000_000
FILLER = "filler"
PIECE = bytes(1 << 20)


def small_disk(folder: Path) -> str:
    """Mount a small disk at `folder`; return why that is impossible here, or an empty string."""
    if os.geteuid() != 0:
        return "mounting a small disk needs root"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return "" if done.returncode == 0 else f"a small disk could not be mounted: {done.stderr.strip()}"


def remove_disk(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)  # noqa: S603, S607


def _fill_up(disk: str) -> None:
    """Fill the disk completely: the next journal write ends mongod."""
    with Path(disk, FILLER).open("ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(PIECE)


async def _fill(scene: Scene) -> None:
    assert scene.disk is not None
    await asyncio.to_thread(_fill_up, scene.disk)


async def _empty(scene: Scene) -> None:
    if scene.disk is not None:
        os.truncate(Path(scene.disk, FILLER), 0)


def _why_not(scene: Scene) -> str:
    return "" if scene.disk is not None else "no small disk could be mounted (that needs root)"


ALL = [
    Fault(
        "disk full under mongod",
        _fill,
        _empty,
        hold=3.0,
        moment="step",
        touches_pages=True,
        impossible=_why_not,
    )
]
