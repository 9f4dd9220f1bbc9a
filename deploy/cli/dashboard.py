"""`kith dashboard`: engineers' operations on the coordinators' page."""

import asyncio
from typing import TYPE_CHECKING

import typer

from deploy.cli.client import (
    Address,
    Client,
    Deployment,
    Failed,
    Json,
    deployment,
    failures_in_one_line,
)
from deploy.cli.console import DATA, DataFolder, console, fail
from deploy.embedded.plan import PAGE

if TYPE_CHECKING:
    from rich.progress import Progress

LOOK_SECONDS = 0.2


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The coordinators' page.")
    group.callback()(_group)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="dashboard")


def _group() -> None:
    """The coordinators' page."""


def rebuild(data: DataFolder = DATA, url: Address = "") -> None:
    """Rebuild the read model from the log while the old one keeps serving, then replace it.

    Prints both checksums; exit status 1 if it failed or they differ.
    """
    target = deployment(data, url, "engineer")
    if PAGE not in target.urls:
        fail("the dashboard does not run here: kith up")
    with failures_in_one_line():
        ended = asyncio.run(_rebuild(target))
    out = console()
    if ended["stage"] == "failed":
        fail(f"not rebuilt, the old read model stays: {ended['problem']}")
    out.print(f"{ended['people']:,} people from {ended['read']:,} messages in {ended['seconds']:.1f} s.")
    if ended["newer"]:
        out.print(f"Not compared, for more had been read of them by then: {ended['newer']:,} people.")
    out.print(f"Checksum before: {ended['checksum_before']}")
    out.print(f"Checksum after:  {ended['checksum_after']}")
    if not ended["equal"]:
        fail("They differ: what was shown was not what the log says. Now it is.")
    out.print("They are equal.")


async def _rebuild(target: Deployment) -> Json:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with Client(target) as client:
        begun = await client.post(PAGE, "/rebuild")
        with Progress(*columns, console=console()) as progress:
            return await followed(client, progress, begun["run"])


async def followed(client: Client, progress: "Progress", run: str) -> Json:
    """Poll until that run ends, on whichever replica, and return its result. Raises `Failed` if lost."""
    bar = progress.add_task("reading", total=None)
    while True:
        now = await client.get(PAGE, "/rebuild")
        if now["run"] != run or now["stage"] == "idle":
            raise Failed("nothing is known of this rebuild any more: look again, then rebuild")
        progress.update(bar, description=now["stage"], completed=now["read"], total=now["total"] or None)
        if now["stage"] in ("done", "failed"):
            return now
        await asyncio.sleep(LOOK_SECONDS)
