"""`kith dead-letters`: inspect, replay or discard messages that could not be processed."""

import asyncio
import json
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.client import (
    Address,
    Client,
    Deployment,
    Failed,
    Json,
    Refusal,
    ServiceName,
    deployment,
    failures_in_one_line,
    segment,
)
from deploy.cli.console import DATA, DataFolder, console, fail
from deploy.cli.rendering import printable

if TYPE_CHECKING:
    from rich.table import Table

AT_ONCE = 200
"""Page size of one request."""

SUCCEEDED = frozenset({"processed", "duplicate", "already_replayed"})

OneService = Annotated[ServiceName | None, typer.Option("--service", help="Only this service's.")]


class State(StrEnum):
    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Messages that could not be processed.")
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("replay")(replay)
    group.command("discard")(discard)
    app.add_typer(group, name="dead-letters")


def list_letters(
    service: OneService = None,
    state: Annotated[State, typer.Option(help="What became of them.")] = State.OPEN,
    data: DataFolder = DATA,
    url: Address = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List dead letters: where each came from and why it was set aside, without content."""
    with failures_in_one_line():
        letters = asyncio.run(_listed(deployment(data, url, "engineer"), service, state))
    if as_json:
        print(json.dumps({"items": letters}, indent=2))
        return
    if not letters:
        console().print(f"No {state.value} dead letters.")
        return
    out = console()
    if not out.is_terminal:
        out.width = 200
    out.print(table(letters))
    out.print(f"{len(letters)} {state.value}.")


def show(
    id: Annotated[str, typer.Argument(help="As `kith dead-letters list` shows it.")],
    service: OneService = None,
    data: DataFolder = DATA,
    url: Address = "",
) -> None:
    """Show one dead letter, with the record as it was read."""
    with failures_in_one_line():
        letter = asyncio.run(_found(deployment(data, url, "engineer"), id, service))
    print(printable(json.dumps(letter, indent=2, ensure_ascii=True)))


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Which to try again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All open ones.")] = False,
    service: OneService = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it nothing is done.")] = False,
    data: DataFolder = DATA,
    url: Address = "",
) -> None:
    """Process dead letters again; without --yes, only show what would be done. Exit status 1 if any fails.

    A record that was already processed has no second effect.
    """
    if bool(ids) == every:
        fail("name the dead letters, or give --all", code=2)
    target = deployment(data, url, "engineer")
    with failures_in_one_line():
        letters = asyncio.run(_chosen(target, ids or [], service))
        if not letters:
            console().print("No open dead letters.")
        elif not yes:
            _say_what_would_be_done(letters)
        elif asyncio.run(_replay_each(target, letters)):
            raise typer.Exit(1)


def discard(
    id: Annotated[str, typer.Argument(help="As `kith dead-letters list` shows it.")],
    because: Annotated[str, typer.Option(help="The reason as a code, like answered_by_ids: nobody's name.")],
    service: OneService = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it nothing is done.")] = False,
    data: DataFolder = DATA,
    url: Address = "",
) -> None:
    """Give up a dead letter that can never be processed, such as a torn record.

    The record stays; the books count it as cancelled.
    """
    target = deployment(data, url, "engineer")
    with failures_in_one_line():
        letter = asyncio.run(_found(target, id, service))
        if not yes:
            console().print(f"{_id(letter)} would be given up. To do it, add --yes.", markup=False)
            return
        if asyncio.run(_discarded(target, letter, because)) != State.DISCARDED:
            fail(f"{_id(letter)} is {letter['state']}: only open ones are given up")
    console().print(f"{_id(letter)} is given up.", markup=False, soft_wrap=True)


async def _discarded(target: Deployment, letter: Json, because: str) -> str:
    async with Client(target) as client:
        path = f"/dead-letters/{segment(letter['id'])}/discard"
        return str((await client.post(letter["service"], path, json={"reason": because}))["outcome"])


def _say_what_would_be_done(letters: list[Json]) -> None:
    out = console()
    for letter in letters:
        again = "would be tried again" if letter["state"] == State.OPEN else f"is {letter['state']} already"
        out.print(f"{_id(letter)}  {again} ({letter['reason']})", markup=False, soft_wrap=True)
    out.print("Nothing was done. To do it, add --yes.")


async def _replay_each(target: Deployment, letters: Iterable[Json]) -> int:
    """Replay the letters in the order in which they were set aside; return how many failed again."""
    failed, out = 0, console()
    async with Client(target) as client:
        for letter in letters:
            path = f"/dead-letters/{segment(letter['id'])}/replay"
            try:
                outcome = str((await client.post(letter["service"], path))["outcome"])
            except Refusal as refusal:
                outcome = str(refusal)
            failed += outcome not in SUCCEEDED
            style = "" if outcome in SUCCEEDED else "red"
            out.print(f"{_id(letter)}  {printable(outcome)}", style=style, markup=False, soft_wrap=True)
    return failed


async def _chosen(target: Deployment, ids: list[str], service: ServiceName | None) -> list[Json]:
    if not ids:
        return await _listed(target, service, State.OPEN)
    return [await _found(target, id, service) for id in dict.fromkeys(ids)]


def _asked(target: Deployment, service: ServiceName | None, id: str = "") -> list[str]:
    """Which services to ask: the named one, the one whose name the id begins with, or all."""
    if service is not None:
        return [service.value]
    owner = id.split(".", 1)[0]
    return [owner] if owner in target.urls else list(target.urls)


async def _listed(target: Deployment, service: ServiceName | None, state: State) -> list[Json]:
    async with Client(target) as client:
        told = await asyncio.gather(*(_all_of(client, name, state) for name in _asked(target, service)))
    return sorted(chain.from_iterable(told), key=lambda letter: (letter["at"], letter["id"]))


async def _all_of(client: Client, service: str, state: State) -> list[Json]:
    letters: list[Json] = []
    cursor: Json = {}
    while True:
        page = await client.get(service, "/dead-letters", state=state.value, limit=AT_ONCE, **cursor)
        letters += [{"service": service, **letter} for letter in page["items"]]
        if page["next"] is None:
            return letters
        cursor = {"cursor": page["next"]}


async def _found(target: Deployment, id: str, service: ServiceName | None) -> Json:
    """Fetch the letter from the service that has it. Raises `Failed` when none has."""
    services = _asked(target, service, id)
    async with Client(target) as client:
        for name in services:
            try:
                return {"service": name, **await client.get(name, f"/dead-letters/{segment(id)}")}
            except Refusal as refusal:
                if refusal.status != 404:
                    raise
    raise Failed(f"no dead letter {printable(id)} in {', '.join(services)}")


def table(letters: list[Json]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    for column in ("id", "set aside (UTC)", "service", "reason", "type"):
        shown.add_column(column, overflow="fold")
    for letter in letters:
        kind = str(letter["about"].get("type") or "unreadable")
        shown.add_row(
            Text(_id(letter)),
            Text(str(letter["at"])[:19].replace("T", " ")),
            letter["service"],
            Text(printable(letter["reason"]) + (" (crisis)" if letter["crisis"] else "")),
            Text(printable(kind)),
            style="bold red" if letter["crisis"] and letter["state"] == State.OPEN else "",
        )
    return shown


def _id(letter: Json) -> str:
    return printable(str(letter["id"]))
