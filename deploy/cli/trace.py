"""`kith trace`: every event about one person, across services, with its cause."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.client import Address, Client, Deployment, Failed, Refusal, deployment, segment
from deploy.cli.console import DATA, DataFolder, console, fail
from deploy.cli.rendering import facts, printable
from deploy.cli.story import Entry, Line, Summary, tell

if TYPE_CHECKING:
    from rich.table import Table

PIPED_WIDTH = 200
"""Columns to use when the output is not a terminal."""


def register(app: typer.Typer) -> None:
    app.command("trace")(trace)


def trace(
    patient: Annotated[str, typer.Argument(help="The patient's id, such as pat_….")],
    data: DataFolder = DATA,
    url: Address = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show one person's story: every event in order, what it is about, and what caused it.

    Exit status 1 when no service knows the person, or when a service did not answer and its part is missing.
    """
    entries, failures = asyncio.run(read(deployment(data, url, "engineer"), patient))
    if not entries and not failures:
        fail(f"no service knows anything about a patient {patient}")
    lines = tell(entries)
    if as_json:
        print(json.dumps(_document(patient, lines, failures), indent=2))
    elif lines:
        _show(lines)
    if failures:
        fail("\n".join(["The story is not whole:", *(str(failed) for failed in failures)]))


async def read(deployment: Deployment, patient: str) -> tuple[list[Entry], list[Failed]]:
    async with Client(deployment) as client:
        answers = (await client.get_each(f"/story/{segment(patient)}")).values()
    failures = [answer for answer in answers if isinstance(answer, Failed) and not _is_absent(answer)]
    told = [answer for answer in answers if not isinstance(answer, Failed)]
    return [Entry.of(entry) for answer in told for entry in answer["entries"]], failures


def _is_absent(failed: Failed) -> bool:
    """True for a 404: a malformed id matches no address."""
    return isinstance(failed, Refusal) and failed.status == 404


def _document(patient: str, lines: list[Line], failures: list[Failed]) -> dict[str, object]:
    return {
        "patient_id": patient,
        "events": [
            {"number": line.number, "caused_by": line.cause, "because": line.because} | line.entry.as_json()
            for line in lines
        ],
        "summary": asdict(Summary.of(lines)),
        "missing": [str(failed) for failed in failures],
    }


def _show(lines: list[Line]) -> None:
    out = console()
    if not out.is_terminal:
        out.width = PIPED_WIDTH
    out.print(table(lines))
    out.print(str(Summary.of(lines)))


def table(lines: list[Line]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    shown.add_column("#", justify="right", style="dim", no_wrap=True)
    for column in ("time (UTC)", "service", "event"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("about", overflow="fold")
    shown.add_column("caused by", no_wrap=True)
    for line in lines:
        entry = line.entry
        about = Text(printable(facts(entry.body)))
        style = "bold red" if entry.type == "CrisisFlagRaised" else ""
        event = Text(printable(entry.type), style=style)
        because = Text(line.because, style="" if line.cause else "dim")
        shown.add_row(str(line.number), _moment(entry), entry.service, event, about, because)
    return shown


def _moment(entry: Entry) -> str:
    return f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
