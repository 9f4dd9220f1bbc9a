"""A running stack's published state: a lock held by its supervisor, and `stack.json`."""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from deploy.embedded.plan import DEFAULT_DATA
from deploy.embedded.processes import is_running

LOCK, STATE = "lock", "stack.json"
LOCK_WITHIN = 1.0
"""Seconds to wait for the lock: callers of `holder` take it shared for an instant."""


def of_folder(data: Path) -> str:
    """The `--data` option that selects this folder, with a leading space; empty for the default folder."""
    if data.resolve() == DEFAULT_DATA.resolve():
        return ""
    here = Path.cwd()
    return f" --data {shlex.quote(str(data.relative_to(here) if data.is_relative_to(here) else data))}"


class AlreadyRunning(Exception):
    """Another supervisor holds the data folder."""

    def __init__(self, data: Path, pid: int | None) -> None:
        who = f" (process {pid})" if pid else ""
        super().__init__(
            f"a stack is already running in {data}{who}; see it with `kith status{of_folder(data)}`"
        )
        self.data, self.pid = data, pid


class Member(BaseModel):
    """One process of the stack. `address` is a URL for services, host:port for the servers."""

    address: str
    pid: int
    command: str = ""


class StackState(BaseModel):
    """The content of `stack.json`. `ready` is set once every service was ready."""

    pid: int
    data: Path
    started: datetime
    ready: datetime | None = None
    mongodb: str
    kafka: str
    clock_file: Path | None = None
    jwks: Path
    signing_key: Path
    services: dict[str, Member]
    servers: dict[str, Member]

    def url(self, service: str) -> str:
        return self.services[service].address

    def save(self) -> None:
        path = self.data / STATE
        draft = path.with_suffix(".draft")
        draft.write_text(self.model_dump_json(indent=2) + "\n")
        draft.replace(path)


def read_state(data: Path) -> StackState | None:
    """The state saved by the last stack in `data`, running or not."""
    try:
        return StackState.model_validate_json((data / STATE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def running_state(data: Path) -> StackState | None:
    """The stack that runs in `data`; None if none does, or if it has only just started."""
    pid, state = holder(data), read_state(data)
    return state if state is not None and state.pid == pid else None


def holder(data: Path) -> int | None:
    """The id of the process that holds the folder's lock (0 if not written yet); None if it is free."""
    try:
        with (data / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _pid_in(lock.read())
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


def _pid_in(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _taken(lock: IO[str]) -> bool:
    until = time.monotonic() + LOCK_WITHIN
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Lock `data` for this process; the kernel unlocks it however that ends. Raises `AlreadyRunning`."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / LOCK).open("a+") as lock:
        if not _taken(lock):
            lock.seek(0)
            raise AlreadyRunning(data, _pid_in(lock.read()) or None)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def command_of(pid: int) -> str:
    """The command line of a process; empty if there is none."""
    with suppress(OSError):
        if sys.platform == "linux":
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return ""


def end_leftovers(state: StackState | None) -> list[str]:
    """Kill processes left behind by a killed supervisor, where the kernel did not; return their names.

    Kills only a process whose command line (less its tether) is the recorded one: process ids are reused.
    """
    ended = []
    for name, member in (state.services | state.servers).items() if state else ():
        command = command_of(member.pid) if is_running(member.pid) else ""
        if command and member.command.endswith(command):
            os.kill(member.pid, signal.SIGKILL)
            ended.append(name)
    return ended
