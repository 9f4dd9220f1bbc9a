"""Processes of the development stack: started with a log file, tied to their parent, stopped in time."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")

Process = subprocess.Popen[bytes]


def spawn(
    command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str], niceness: int = 0
) -> Process:
    """Start `command` in `folder`, its output appended to `log`; it is killed when this process dies.

    With a `niceness` (1 to 19) it gets a smaller share of a contended processor.

    It gets a process group of its own, so that a terminal's Ctrl-C reaches only the supervisor, which
    stops the others in order. Call from the main thread: the tie is to the thread that starts it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  (commands are built here, never from outside)
            [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(niceness), *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def command_line(process: Process) -> str:
    """The command line the process was started with, including its tether."""
    return " ".join(str(part) for part in process.args) if isinstance(process.args, list) else ""


def stop(process: Process, *, within: float, how: signal.Signals = signal.SIGTERM) -> bool:
    """Signal `process` to end and kill it after `within` seconds; return whether it ended in time."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def is_running(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, for an error message."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])
