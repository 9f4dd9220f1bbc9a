"""`kith clock`: show a stack's time, and advance it if it is stepped."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.console import DATA, DataFolder, console, fail, running_stack

if TYPE_CHECKING:
    from deploy.embedded.state import StackState

SPAN = re.compile(r"([1-9][0-9]{0,3})([wdhm])")
UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}


def register(app: typer.Typer) -> None:
    clock = typer.Typer(help="Show a stack's time; move it where it is stepped.", invoke_without_command=True)
    clock.callback()(show)
    clock.command("advance")(advance)
    app.add_typer(clock, name="clock")


def show(context: typer.Context, data: DataFolder = DATA) -> None:
    """Show a stack's time; advance it if it is stepped (`kith up --clock stepped`)."""
    context.obj = data
    if context.invoked_subcommand is not None:
        return
    from shared.clock import clock

    file = running_stack(data).clock_file
    kind = "the system's" if file is None else "stepped: it moves only when something moves it"
    console().print(f"{clock(file).now():%a %d %b %Y %H:%M:%S} UTC, {kind}", markup=False, soft_wrap=True)


def advance(
    context: typer.Context,
    by: Annotated[str, typer.Argument(help="So far on: 1d, 6h, 30m or 2w.")],
    data: Annotated[Path | None, typer.Option("--data", help="The stack's folder.", file_okay=False)] = None,
) -> None:
    """Advance stepped time. Work due in between is done late, as after an outage of that length."""
    from shared.clock import SteppedClock, step

    span = span_of(by)
    if span is None:
        fail(f"{by}: write a number and its unit, such as 1d, 6h, 30m or 2w", code=2)
    file = _stepped(running_stack(data or context.obj))
    before = SteppedClock(file).now()
    step(file, before + span)
    console().print(f"{before:%a %d %b %Y %H:%M} → {before + span:%a %d %b %Y %H:%M} UTC", soft_wrap=True)


def span_of(text: str) -> timedelta | None:
    """Parse `1d` as one day; `None` if the text is not a span."""
    found = SPAN.fullmatch(text)
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None


def _stepped(state: "StackState") -> Path:
    if state.clock_file is None:
        fail(
            "this stack's time is the system's and cannot be moved; `kith up --clock stepped` starts another"
        )
    return state.clock_file
