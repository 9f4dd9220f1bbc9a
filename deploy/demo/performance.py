"""The demo on running services, wherever they run: the play, its tables, its telephones."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo import casting, report
from deploy.demo.agenda import Agenda
from deploy.demo.clinic import Clinic
from deploy.demo.desks import Desks
from deploy.demo.life import Life
from deploy.demo.play import START, Watch, play
from deploy.demo.receiver import Receiver
from deploy.demo.settling import Time

SAID_DAYS = 28
"""Days between progress lines when the output is not a terminal."""

Disturb = Callable[[int], None]
"""Called with each day of the play, before progress is drawn."""


@dataclass(frozen=True)
class Performance:
    """`lives` are played for `weeks`; `begun` is when start-up began (`time.monotonic`)."""

    lives: Sequence[Life]
    weeks: int
    begun: float


def cast(referrals: Path | None, people: int, seed: int, clinics: Path) -> list[Life]:
    """The cast: synthetic people, or those of a file. Raises `ValueError`."""
    if referrals is None:
        return casting.synthetic(people, seed, clinics)
    return casting.from_file(referrals, people, seed, clinics)


async def perform(
    performance: Performance,
    desks: Desks,
    clock_file: Path,
    receiver: Receiver,
    out: Console,
    disturb: Disturb = lambda day: None,
) -> tuple[Clinic, bool]:
    """Play and show the results; the flag tells whether the books balance. Raises `Unsettled`."""
    clinic = Clinic(desks, Time(clock_file, desks, START), Agenda())
    async with _progress(out, len(performance.lives), performance.weeks) as draw:

        async def watch(now: datetime, day: int) -> None:
            disturb(day)
            await draw(now, day)

        await play(clinic, performance.lives, weeks=performance.weeks, watch=watch)
    outcome = await report.gather(clinic)
    report.show(outcome, clinic, out, START)
    out.print(
        f"Telephones of the people on call rang {receiver.rang.total()} times; "
        f"{receiver.refused} signatures did not fit."
    )
    took = monotonic() - performance.begun
    out.print(f"Final state: {report.digest(outcome, clinic)}. Took {took:.0f} s in all.")
    return clinic, outcome.balanced


@asynccontextmanager
async def _progress(out: Console, people: int, weeks: int) -> AsyncIterator[Watch]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task(f"{people} people, {weeks} weeks", total=weeks * 7, now="")

        async def draw(now: datetime, day: int) -> None:
            progress.update(bar, completed=day, now=f"{now:%a %d %b %Y}")
            if day and day % SAID_DAYS == 0 and not out.is_terminal:
                out.print(f"{day // 7} of {weeks} weeks, {now:%a %d %b %Y}")

        yield draw
