"""`kith demo`: whole courses of care on real servers, in stepped time, with the books at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer
import uvloop

from deploy.cli.console import console, fail
from deploy.embedded.plan import KAFKA_PORT, MONGOD_PORT, PAGE, PORT_BASE

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.demo.clinic import Clinic
    from deploy.demo.life import Life
    from deploy.demo.play import Watch
    from deploy.demo.receiver import Receiver
    from deploy.embedded.plan import Plan

DATA = Path(".kith/demo")


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    *,
    people: Annotated[int, typer.Option(min=1, max=400, help="How many people are referred.")] = 200,
    weeks: Annotated[int, typer.Option(min=1, max=104, help="How long it plays, in simulated weeks.")] = 34,
    seed: Annotated[int, typer.Option(help="The same seed plays the same courses.")] = 7,
    referrals: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="CSV, NDJSON or NHANES file instead of synthetic people."
        ),
    ] = None,
    data: Annotated[Path, typer.Option(help="A folder of its own, emptied first.", file_okay=False)] = DATA,
    port_base: Annotated[int, typer.Option(min=1, max=65000)] = PORT_BASE,
    mongod_port: Annotated[int, typer.Option(min=1, max=65535)] = MONGOD_PORT,
    kafka_port: Annotated[int, typer.Option(min=1, max=65535)] = KAFKA_PORT,
    kill: Annotated[
        list[str] | None,
        typer.Option(help="SERVICE@DAY: kill -9 that service on that day of the play; repeatable."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the stack running at the end, until Ctrl-C.")
    ] = False,
) -> None:
    """Play whole courses of IPT for a caseload, and balance the books. Exit 1 if they do not balance."""
    from deploy.demo import casting
    from deploy.demo.receiver import Receiver
    from deploy.embedded.plan import ROOT, Plan, Ports
    from deploy.embedded.ports import free_ports

    clinics = ROOT / "deploy" / "config" / "clinics.json"
    try:
        cast = (
            casting.from_file(referrals, people, seed, clinics)
            if referrals
            else casting.synthetic(people, seed, clinics)
        )
    except (ValueError, UnicodeDecodeError) as error:
        fail(f"{referrals}: {error}", code=2)
    ports = Ports.above(port_base, mongod=mongod_port, kafka=kafka_port)
    clock_file = _fresh_clock(data.resolve())
    receiver = Receiver(free_ports(1))
    on_call = receiver.settings(ROOT / "deploy" / "config" / "on_call.json", data.resolve())
    plan = Plan(data.resolve(), ports, clock_file, {"alerts": on_call})
    playing = _demo(plan, cast, weeks, _kills(kill or []), receiver, console(), keep=keep)
    raise typer.Exit(uvloop.run(playing))


def _fresh_clock(data: Path) -> Path:
    """An empty data folder whose clock stands at the play's start."""
    import shutil

    from deploy.demo.play import START
    from deploy.embedded.clock import stepped_clock
    from deploy.embedded.state import AlreadyRunning, holder

    pid = holder(data)
    if pid is not None:
        fail(str(AlreadyRunning(data, pid or None)))
    shutil.rmtree(data, ignore_errors=True)
    return stepped_clock(data, START)


def _kills(asked: list[str]) -> dict[int, list[str]]:
    """Day of the play → services to be killed on it."""
    from deploy.embedded.plan import SERVICES

    kills: dict[int, list[str]] = {}
    for text in asked:
        service, _, day = text.partition("@")
        if service not in SERVICES or not day.isdigit():
            fail(f"--kill {text}: write SERVICE@DAY, with one of {', '.join(SERVICES)}", code=2)
        kills.setdefault(int(day), []).append(service)
    return kills


async def _demo(
    plan: "Plan",
    lives: "list[Life]",
    weeks: int,
    kills: dict[int, list[str]],
    receiver: "Receiver",
    out: "Console",
    *,
    keep: bool,
) -> int:
    from deploy.demo import report
    from deploy.demo.agenda import Agenda
    from deploy.demo.clinic import Clinic
    from deploy.demo.desks import Desks
    from deploy.demo.play import START, play
    from deploy.demo.receiver import listening
    from deploy.demo.settling import Time
    from deploy.embedded.stack import running

    assert plan.clock_file is not None  # noqa: S101 (made a moment ago)
    begun = monotonic()
    async with running(
        plan, lambda line: out.print(f"{line.service}: {line.text}", style="yellow", markup=False)
    ) as stack:
        out.print(
            f"Four services, MongoDB and a Kafka-protocol broker are ready after {stack.seconds:.1f} s."
        )
        async with listening(receiver), Desks.of(stack.state) as desks:
            time = Time(plan.clock_file, desks, START)
            clinic = Clinic(desks, time, Agenda())

            async with _progress(out, len(lives), weeks) as draw:

                async def watch(now: datetime, day: int) -> None:
                    for due in [planned for planned in kills if planned <= day]:
                        for service in kills.pop(due):
                            out.print(f"kill -9 {service} on day {day}", style="yellow")
                            stack.services[service].kill()
                    await draw(now, day)

                await play(clinic, lives, weeks=weeks, watch=watch)
            outcome = await report.gather(clinic)
            report.show(outcome, clinic, out, START)
            out.print(
                f"Telephones of the people on call rang {receiver.rang.total()} times; "
                f"{receiver.refused} signatures did not fit."
            )
            out.print(
                f"Final state: {report.digest(outcome, clinic)}. Took {monotonic() - begun:.0f} s in all."
            )
            _say_where(plan, clinic, out)
        if keep:
            out.print("The stack stays up until Ctrl-C.")
            await _forever()
    return 0 if outcome.balanced else 1


def _say_where(plan: "Plan", clinic: "Clinic", out: "Console") -> None:
    """How to look at it again."""
    folder = _short(plan.data)
    someone = min(clinic.lives.values(), key=lambda life: life.person.number).patient_id
    out.print(f"All of it stays in {folder}. To look at its caseload:", soft_wrap=True)
    out.print(f"  kith up --data {folder} --clock stepped", soft_wrap=True)
    out.print(f"opens {plan.url(PAGE)}/, the coordinators' page; while it runs,", soft_wrap=True)
    out.print(f"  kith trace --data {folder} {someone}", soft_wrap=True)
    out.print("tells one person's story.")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


async def _forever() -> None:
    import signal

    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


@asynccontextmanager
async def _progress(out: "Console", people: int, weeks: int) -> "AsyncIterator[Watch]":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

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

        yield draw
