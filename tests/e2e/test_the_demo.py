"""`kith demo` as people run it: the books balance, and a killed service changes nothing."""

import asyncio
import re
import sys
from pathlib import Path

from tests.support.ports import ports

SMALL = ("--people", "12", "--weeks", "22")


async def demo(folder: Path, *options: str) -> tuple[int, str]:
    """Play a small demo on ports of its own; gives the exit status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "demo", "--data", str(folder), *SMALL),
        *ports(),
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


def final_state(printed: str) -> str:
    found = re.search(r"Final state: (\w+)", printed)
    assert found, printed
    return found[1]


async def test_services_killed_in_the_middle_end_in_the_same_state_as_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    status, undisturbed = await demo(tmp_path / "undisturbed")
    assert status == 0, undisturbed
    assert "The books balance" in undisturbed
    kills = ("intake@2", "care_plan@22", "scheduler@43", "alerts@64", "care_plan@85", "alerts@2")
    status, disturbed = await demo(tmp_path / "disturbed", *(f"--kill={kill}" for kill in kills))
    assert status == 0, disturbed
    assert disturbed.count("kill -9") == len(kills)
    assert final_state(disturbed) == final_state(undisturbed)
