"""Processes of the stack end with whoever started them."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.embedded.processes import command_line, is_running, spawn, stop
from deploy.embedded.state import (
    AlreadyRunning,
    Member,
    StackState,
    command_of,
    end_leftovers,
    holder,
    locked,
)
from tests.support.eventually import eventually

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
PARENT = """
import os, sys, time
from pathlib import Path
from deploy.embedded.processes import spawn
child = spawn(["/bin/sleep", "60"], folder=Path.cwd(), log=Path(sys.argv[1]), environment=os.environ)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans only there")
async def test_a_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603, ASYNC220
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        await eventually(lambda: command_of(child).startswith("/bin/sleep"))
        parent.send_signal(signal.SIGKILL)
        await eventually(lambda: not is_running(child), within=5)


async def test_a_process_that_will_not_stop_is_killed_in_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn([sys.executable, "-c", STUBBORN], folder=tmp_path, log=log, environment=os.environ)
    await eventually(lambda: log.read_text() == "up\n")
    assert stop(process, within=0.2) is False
    assert process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="sessions share the processor in groups only there")
async def test_whoever_gives_way_does_so_across_sessions(tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked = spawn(["/bin/sleep", "60"], folder=tmp_path, log=log, environment=os.environ, niceness=10)
    usual = spawn(["/bin/sleep", "60"], folder=tmp_path, log=log, environment=os.environ)
    for process, niceness in ((asked, 10), (usual, 0)):
        await eventually(lambda id=process.pid: command_of(id) == "/bin/sleep 60")
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == niceness
        assert _group(process.pid).endswith(f"nice {niceness}\n")
        stop(process, within=5.0)


def _group(pid: int) -> str:
    """What its session's share is like; the process's own where this kernel has no such groups."""
    path = Path(f"/proc/{pid}/autogroup")
    return path.read_text() if path.exists() else f"nice {os.getpriority(os.PRIO_PROCESS, pid)}\n"


def _state(folder: Path, pid: int, command: str) -> StackState:
    return StackState(
        pid=1,
        data=folder,
        started=datetime.now(UTC),
        mongodb="",
        kafka="",
        jwks=folder,
        signing_key=folder,
        services={"intake": Member(address="", pid=pid, command=command)},
        servers={},
    )


async def test_what_a_killed_run_left_behind_is_ended_but_no_stranger(tmp_path: Path) -> None:
    process = spawn(["/bin/sleep", "60"], folder=tmp_path, log=tmp_path / "log", environment=os.environ)
    await eventually(lambda: command_of(process.pid) == "/bin/sleep 60")
    assert end_leftovers(_state(tmp_path, process.pid, "python -m services.intake")) == []
    assert process.poll() is None
    assert end_leftovers(_state(tmp_path, process.pid, command_line(process))) == ["intake"]
    assert process.wait(5) == -signal.SIGKILL


def test_a_folder_is_held_by_one_and_let_go_at_the_end(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())), locked(tmp_path):
            pass
    assert holder(tmp_path) is None
