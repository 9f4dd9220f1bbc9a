"""`kith migrations`: progress of migrating stored documents to their present shape."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.client import Address, Client, Deployment, deployment, failures_in_one_line
from deploy.cli.console import DATA, DataFolder, console

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Stored documents of older shapes.")
    group.callback()(_group)
    group.command("status")(status)
    app.add_typer(group, name="migrations")


def _group() -> None:
    """Stored documents of older shapes."""


def status(
    data: DataFolder = DATA,
    url: Address = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what is left of each migration; exit status 1 while anything is left."""
    with failures_in_one_line():
        rows = asyncio.run(_read(deployment(data, url, "engineer")))
    if as_json:
        print(json.dumps(rows, indent=2))
    elif rows:
        console().print(_table(rows))
    else:
        console().print("No migration is declared.")
    raise typer.Exit(1 if any(row["left"] for row in rows) else 0)


async def _read(target: Deployment) -> list[dict[str, Any]]:
    async with Client(target) as client:
        answers = await client.get_all("/migrations")
    return [{"service": name} | row for name, answer in answers.items() for row in answer["migrations"]]


def _table(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for column in ("service", "migration", "collection"):
        shown.add_column(column)
    for column in ("left", "lifted", "stuck"):
        shown.add_column(column, justify="right")
    for row in rows:
        counts = (row["left"], row["lifted"], len(row["stuck"]))
        shown.add_row(row["service"], row["id"], row["collection"], *(f"{count:,}" for count in counts))
    return shown
