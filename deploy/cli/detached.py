"""`kith up --detach`: the supervisor keeps running in the background once everything is ready."""

import os
import subprocess
import sys
import time
from pathlib import Path

import typer

from deploy.cli.console import console, fail, kith

WAIT_SECONDS = 120.0
LOOK_SECONDS = 0.1


def start_detached(data: Path, arguments: list[str]) -> None:
    """Start `kith ARGUMENTS` in the background; exit 0 when its stack is ready, non-zero if it ends first."""
    from deploy.embedded.plan import ROOT
    from deploy.embedded.state import of_folder, running_state

    log = data / "logs" / "up.out"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: S603  (this very program, with the caller's own arguments)
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            fail(log.read_text(errors="replace").strip(), code=supervisor.returncode or 1)
        state = running_state(data)
        if state is not None and state.pid == supervisor.pid and state.ready is not None:
            console().print(
                f"Ready; process {state.pid} looks after it. Stop it with: {kith()} down{of_folder(data)}",
                soft_wrap=True,
            )
            raise typer.Exit(0)
        time.sleep(LOOK_SECONDS)
    supervisor.terminate()
    fail(f"not ready within {WAIT_SECONDS:g} s; see {log}")
