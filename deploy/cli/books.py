"""`kith books`: check that everything that was expected is accounted for."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.books import COLUMNS, BookLine, entries, join
from deploy.cli.client import (
    COUNT_SECONDS,
    Address,
    Client,
    Deployment,
    deployment,
    failures_in_one_line,
)
from deploy.cli.console import DATA, DataFolder, console

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    app.command("books")(books)


def books(
    data: DataFolder = DATA,
    url: Address = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check per kind over all services: expected = done + cancelled + breached + open; exit 1 if not."""
    with failures_in_one_line():
        lines = asyncio.run(read(deployment(data, url, "engineer")))
    balanced = all(line.balanced for line in lines)
    if as_json:
        print(json.dumps({"balanced": balanced, "kinds": [line.as_json() for line in lines]}, indent=2))
    else:
        console().print(table(lines))
        console().print("The books balance." if balanced else "[red]The books do not balance.[/]")
    raise typer.Exit(0 if balanced else 1)


async def read(deployment: Deployment) -> list[BookLine]:
    """Raises `Failed` when any service does not answer: books without it would be meaningless."""
    async with Client(deployment, patience=COUNT_SECONDS) as client:
        return join(entries((await client.get_all("/books")).values()))


def table(lines: list[BookLine]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    shown = Table("kind", box=None, pad_edge=False)
    for column in (*COLUMNS, "difference"):
        shown.add_column(column, justify="right")
    for line in lines:
        counts = (_count(getattr(line, column)) for column in COLUMNS)
        shown.add_row(line.kind.replace("_", " "), *counts, Text(*_difference(line)))
    return shown


def _count(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"


def _difference(line: BookLine) -> tuple[str, str]:
    if line.incomplete:
        return "incomplete", "red"
    return f"{line.difference:,}", "green" if line.balanced else "red"
