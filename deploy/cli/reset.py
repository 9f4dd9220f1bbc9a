"""`kith reset`: empty the data folder to start over."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.console import DATA, DataFolder, console, fail

OURS = ("mongod", "broker", "logs", "keys", "clock", "stack.json", "lock")
"""The entries that a stack creates in its folder; `kith reset` touches nothing else."""


def register(app: typer.Typer) -> None:
    app.command("reset")(reset)


def reset(
    data: DataFolder = DATA,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete everything the stack in this folder has stored; refused while it runs."""
    from deploy.embedded.state import AlreadyRunning, locked

    folder = data.resolve()
    present = [folder / name for name in OURS if (folder / name).exists()]
    if not present:
        console().print(f"Nothing to delete in {folder}.", soft_wrap=True)
        return
    try:
        with locked(folder):
            if not yes:
                typer.confirm(f"Delete all referrals, plans, alerts, keys and logs in {folder}?", abort=True)
            delete(present)
    except AlreadyRunning as running:
        fail(f"{running}; stop it first")
    console().print(f"Deleted what was in {folder}.", soft_wrap=True)


def delete(present: list[Path]) -> None:
    """Delete these entries, all in one folder, and the folder itself if nothing else is left in it."""
    for path in present:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    folder = present[0].parent
    (folder / "lock").unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
