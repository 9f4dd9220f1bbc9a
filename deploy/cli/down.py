"""`kith down`: stop the stack of a data folder, wherever it was started."""

import os
import signal
import time
from contextlib import suppress

import typer

from deploy.cli.console import DATA, DataFolder, console, fail, running_stack

WAIT_SECONDS, LOOK_SECONDS = 15.0, 0.05


def register(app: typer.Typer) -> None:
    app.command("down")(down)


def down(data: DataFolder = DATA) -> None:
    """Ask the running stack to stop, and wait until it has."""
    from deploy.embedded.state import holder

    state = running_stack(data)
    with suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + WAIT_SECONDS
    while holder(data.resolve()) is not None:
        if time.monotonic() > deadline:
            fail(f"process {state.pid} did not stop within {WAIT_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)
    console().print("Stopped.")
