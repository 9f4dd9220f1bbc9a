"""Shared by the commands: the data folder's option, plain failure messages, the running stack."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from deploy.embedded.plan import DEFAULT_DATA

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.embedded.state import StackState

DataFolder = Annotated[
    Path, typer.Option("--data", help="The stack's folder.", show_default=True, file_okay=False)
]
DATA = DEFAULT_DATA


def console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def kith() -> str:
    """How to call this command again: `kith` if it is on PATH, else the path it was called by."""
    return "kith" if shutil.which("kith") else sys.argv[0]


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Print what is wrong on standard error, and exit with `code`."""
    console(stderr=True).print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def running_stack(data: Path) -> "StackState":
    """The stack that runs in `data`; ends the command when there is none."""
    from deploy.embedded.state import running_state

    state = running_state(data.resolve())
    if state is None:
        fail(f"no stack is running in {data}; start one with `kith up`")
    return state
