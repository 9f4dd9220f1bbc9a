"""`kith outbox`: republish a service's past announcements."""

import asyncio
from datetime import datetime
from time import monotonic
from typing import Annotated

import typer

from deploy.cli.client import (
    Address,
    Client,
    Deployment,
    Failed,
    ServiceName,
    deployment,
    failures_in_one_line,
)
from deploy.cli.console import DATA, DataFolder, console, fail

SAY_SECONDS = 5.0


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What the services announced.")
    group.callback()(_group)
    group.command("replay")(replay)
    app.add_typer(group, name="outbox")


def _group() -> None:
    """What the services announced."""


def replay(
    service: Annotated[ServiceName, typer.Option("--service", help="Whose announcements.")],
    since: Annotated[str, typer.Option(help="From this instant, such as 2026-03-02T15:00:00Z.")],
    until: Annotated[str, typer.Option(help="Before this instant; without it, up to now.")] = "",
    after: Annotated[str, typer.Option(help="Go on after this row: where it was broken off.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it nothing is done.")] = False,
    data: DataFolder = DATA,
    url: Address = "",
) -> None:
    """Publish a span of the outbox again; without --yes, only show how many rows that would be.

    Consumers drop what they have already processed, so nothing happens twice. The rows are published in
    parts, with progress shown; resume an interrupted replay there with --after.
    """
    span = {"since": _instant("--since", since)} | ({"until": _instant("--until", until)} if until else {})
    target = deployment(data, url, "engineer")
    with failures_in_one_line():
        count = asyncio.run(_replay(target, service.value, span, after, dry_run=not yes))
    done = "are published again" if yes else "would be published again. To do it, add --yes"
    console().print(f"{count:,} outbox rows of {service.value} {done}.")


def _instant(option: str, text: str) -> str:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        fail(f"{option}: write an instant with its offset, such as 2026-03-02T15:00:00Z", code=2)
    return instant.isoformat()


async def _replay(
    target: Deployment, service: str, span: dict[str, str], after: str, *, dry_run: bool
) -> int:
    """Returns the number of rows. Raises `Failed`, naming where to resume."""
    count, said = 0, monotonic()
    async with Client(target) as client:
        while True:
            parameters = span | {"dry_run": str(dry_run).lower()} | ({"after": after} if after else {})
            try:
                answer = await client.post(service, "/outbox/replay", params=parameters)
            except Failed as failed:
                if not after:
                    raise
                raise Failed(
                    f"{failed}\n{count:,} outbox rows are done. Go on with --after {after}"
                ) from None
            count += int(answer["documents"])
            if answer["after"] is None:
                return count
            after = answer["after"]
            if monotonic() - said > SAY_SECONDS:
                said = monotonic()
                console(stderr=True).print(f"{count:,} outbox rows so far, up to {after}", markup=False)
