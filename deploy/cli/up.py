"""`kith up`: start everything, show the addresses, keep it running until it is asked to stop."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.console import DATA, DataFolder, console, fail, kith
from deploy.embedded.plan import KAFKA_PORT, MONGOD_PORT, PAGE, PORT_BASE

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.embedded.log_watch import LogLine
    from deploy.embedded.plan import Plan
    from deploy.embedded.stack import Stack

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Instead of its place above the base.")]

COLOURS = {"warning": "yellow", "error": "red", "critical": "bold red"}


class TimeFrom(StrEnum):
    SYSTEM = "system"
    STEPPED = "stepped"


def register(app: typer.Typer) -> None:
    app.command("up")(up)


def up(
    *,
    data: DataFolder = DATA,
    port_base: Annotated[
        int, typer.Option(min=1, max=65000, help="The page listens there, services above: intake +1, …")
    ] = PORT_BASE,
    mongod_port: Annotated[int, typer.Option(min=1, max=65535)] = MONGOD_PORT,
    kafka_port: Annotated[int, typer.Option(min=1, max=65535)] = KAFKA_PORT,
    intake_port: Port = None,
    care_plan_port: Port = None,
    scheduler_port: Port = None,
    alerts_port: Port = None,
    dashboard_port: Port = None,
    clock: Annotated[
        TimeFrom, typer.Option(help="`stepped`: time moves only when something moves it.")
    ] = TimeFrom.SYSTEM,
    start: Annotated[
        str, typer.Option(help="With a stepped clock: the instant to start at, as ISO 8601 with its offset.")
    ] = "",
    chosen: Annotated[
        list[str] | None,
        typer.Option("--set", help="A service's setting: NAME=VALUE or SERVICE.NAME=VALUE; repeatable."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when it is ready; stop it with `kith down`.")
    ] = False,
) -> None:
    """Start MongoDB, the broker and every service, and keep them running until Ctrl-C."""
    from deploy.embedded.plan import Plan, Ports, UnknownSetting, chosen_settings

    if detach:
        from deploy.cli.detached import start_detached

        return start_detached(data.resolve(), [arg for arg in sys.argv[1:] if arg != "--detach"])
    ports = Ports.above(
        port_base,
        mongod=mongod_port,
        kafka=kafka_port,
        intake=intake_port,
        care_plan=care_plan_port,
        scheduler=scheduler_port,
        alerts=alerts_port,
        dashboard=dashboard_port,
    )
    try:
        settings = chosen_settings(chosen or [])
    except UnknownSetting as unknown:
        fail(str(unknown), code=2)
    _require_free_folder(data.resolve())
    out = console()
    plan = Plan(data.resolve(), ports, _clock_file(data.resolve(), clock, start, out), settings, page=True)
    raise typer.Exit(_supervise(plan, out))


def _require_free_folder(data: Path) -> None:
    """End the command if a stack runs in the folder; called before anything is written there."""
    from deploy.embedded.state import AlreadyRunning, holder

    pid = holder(data)
    if pid is not None:
        fail(str(AlreadyRunning(data, pid or None)))


def _clock_file(data: Path, clock: TimeFrom, start: str, out: "Console") -> Path | None:
    from deploy.embedded.clock import ClockBackwards, stands_at, stepped_clock

    if clock is TimeFrom.SYSTEM:
        if start:
            fail("--start needs --clock stepped", code=2)
        stands = stands_at(data)
        if stands is not None:
            out.print(f"Time in this folder was stepped to {stands.isoformat()}; now it is the system's.")
        return None
    try:
        instant = datetime.fromisoformat(start) if start else None
        if instant is not None and instant.tzinfo is None:
            raise ValueError
    except ValueError:
        fail(f"--start {start}: write an instant with its offset, such as 2026-01-05T09:00:00-05:00", code=2)
    try:
        return stepped_clock(data, instant.astimezone(UTC) if instant else None)
    except ClockBackwards as backwards:
        fail(str(backwards))


def _supervise(plan: "Plan", out: "Console") -> int:
    """Run until asked to stop and return exit status 0; end the command with 1 if it cannot start."""
    from deploy.embedded.servers import MissingBinary, NotReady, PortTaken, PortTwice, TopicsRefused
    from deploy.embedded.state import AlreadyRunning

    try:
        asyncio.run(_run(plan, out))
    except asyncio.CancelledError:
        out.print("Stopped.")
        return 0
    except (AlreadyRunning, PortTaken, PortTwice) as refused:
        fail(str(refused))
    except TopicsRefused as failed:
        fail(str(failed))
    except (MissingBinary, NotReady) as failed:
        fail(f"{failed}\nIf this machine lacks something, `{kith()} doctor` says what.")
    return 0


async def _run(plan: "Plan", out: "Console") -> None:
    from deploy.embedded.stack import running

    _cancel_when_told_to_stop(lambda: out.print("Stopping…"))
    out.print(f"Starting MongoDB, Kafka and {len(plan.services)} services in {plan.data} …")
    async with running(plan, lambda line: _show(out, line)) as stack:
        await _announce(stack, out)
        await asyncio.Event().wait()


def _cancel_when_told_to_stop(say: Callable[[], None]) -> None:
    """Cancel this task on the first SIGINT, SIGTERM or SIGHUP, for an orderly stop; ignore further ones."""
    task, told = asyncio.current_task(), False

    def stop() -> None:
        nonlocal told
        if not told and task is not None:
            told = True
            say()
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _announce(stack: "Stack", out: "Console") -> None:
    from deploy.cli.status import table
    from deploy.embedded.health import stack_health
    from deploy.embedded.keys import DEVELOPERS, development_token
    from deploy.embedded.state import of_folder

    out.print(table(stack.state, await stack_health(stack.state)))
    out.print(f"Ready in {stack.seconds:.1f} s. Data and logs: {stack.plan.data}")
    out.print(f"The coordinators' page: {stack.plan.url(PAGE)}/", style="bold", soft_wrap=True)
    if stack.plan.clock_file is not None:
        from deploy.embedded.clock import stands_at

        out.print(f"Time is stepped and stands at {stands_at(stack.plan.data)}.")
    more = f"{kith()} token{of_folder(stack.plan.data)}"
    out.print(f"Development tokens, good for 12 hours (more with `{more}`):", soft_wrap=True)
    for role in DEVELOPERS:
        token = development_token(stack.plan.signing_key, role)
        out.print(f"  {role:<12} {token}", soft_wrap=True, markup=False)
    out.print("Ctrl-C stops everything. Warnings and errors of the services follow.")


def _show(out: "Console", line: "LogLine") -> None:
    from rich.text import Text

    stamp = datetime.now().astimezone().strftime("%H:%M:%S")
    out.print(
        Text.assemble(
            (f"{stamp} ", "dim"), (f"{line.service:<10} ", "bold"), (line.text, COLOURS[line.level])
        ),
        soft_wrap=True,
    )
