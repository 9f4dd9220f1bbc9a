"""`kith status`: each service's health and backlog."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.console import DATA, DataFolder, console, running_stack

if TYPE_CHECKING:
    from rich.table import Table

    from deploy.embedded.health import ServiceHealth, StackHealth
    from deploy.embedded.state import StackState


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(
    data: DataFolder = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show every service's health, lag, outbox and dead letters; exit status 1 unless all are ready."""
    from deploy.embedded.health import stack_health

    state = running_stack(data)
    health = asyncio.run(stack_health(state))
    if as_json:
        whole = state.model_dump(mode="json", exclude={"services"}) | health.as_json()
        print(json.dumps(whole | {"ready_since": state.ready.isoformat() if state.ready else None}, indent=2))
    else:
        console().print(table(state, health))
    raise typer.Exit(0 if health.ready else 1)


def table(state: "StackState", health: "StackHealth") -> "Table":
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for column in ("", "address", "health"):
        shown.add_column(column, overflow="fold")
    for column in ("lag", "outbox", "dead letters"):
        shown.add_column(column, justify="right")
    for service in health.services:
        shown.add_row(
            service.name,
            service.url,
            _health(service),
            *(_count(service, n) for n in (service.lag, service.outbox_pending, service.dead_letters)),
        )
    shown.add_row("mongod", state.mongodb, _alive(state.servers["mongod"].pid))
    shown.add_row("kafka", state.kafka, _alive(state.servers["kafka"].pid))
    return shown


def _health(service: "ServiceHealth") -> str:
    return "[green]ready[/]" if service.ready else f"[red]{service.problem}[/]"


def _alive(pid: int) -> str:
    from deploy.embedded.processes import is_running

    return "[green]running[/]" if is_running(pid) else "[red]not running[/]"


def _count(service: "ServiceHealth", count: int | None) -> str:
    """The count; "not yet" if a ready service has not counted yet, a dash if it is not ready."""
    if count is None:
        return "not yet" if service.ready else "–"
    return str(count)
