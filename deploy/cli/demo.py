"""`kith demo`: play whole courses of care on real servers in stepped time, then balance the books."""

import asyncio
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer
import uvloop

from deploy.cli.console import console, fail, kith
from deploy.demo import WEEKS
from deploy.embedded.plan import KAFKA_PORT, MONGOD_PORT, PAGE, PORT_BASE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.console import Console

    from deploy.demo.clinic import Clinic
    from deploy.demo.performance import Performance
    from deploy.demo.receiver import Receiver
    from deploy.embedded.plan import Plan

DATA = Path(".kith/demo")
OF_A_DEMO = ("on_call.json",)


class Where(StrEnum):
    COMPOSE = "compose"


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    *,
    people: Annotated[int, typer.Option(min=1, max=400, help="How many people are referred.")] = 200,
    weeks: Annotated[
        int, typer.Option(min=1, max=104, help="How long it plays, in simulated weeks.")
    ] = WEEKS,
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
    against: Annotated[
        Where | None,
        typer.Option(help="Play on containers of docker-compose.yml instead: Apache Kafka and MongoDB."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the stack running at the end, until Ctrl-C.")
    ] = False,
) -> None:
    """Play whole courses of IPT for a caseload, and balance the books. Exit 1 if they do not balance."""
    if against is not None:
        _refuse(kill, "--kill: containers are killed with docker, not with --against")
        raise typer.Exit(_on_compose(against.value, people, weeks, seed, referrals, keep=keep))
    from deploy.demo.performance import Performance, cast
    from deploy.demo.receiver import Receiver
    from deploy.embedded.plan import ROOT, Plan, Ports
    from deploy.embedded.ports import PortTaken, PortTwice, free_ports

    begun = monotonic()
    try:
        lives = cast(referrals, people, seed, ROOT / "deploy" / "config" / "clinics.json")
    except (ValueError, UnicodeDecodeError) as error:
        fail(f"{referrals}: {error}", code=2)
    ports = Ports.above(port_base, mongod=mongod_port, kafka=kafka_port)
    _require_own(data.resolve())
    try:
        ports.require_free()
    except (PortTaken, PortTwice) as taken:
        fail(str(taken))
    clock_file = _fresh_clock(data.resolve())
    receiver = Receiver(free_ports(1))
    on_call = receiver.settings(ROOT / "deploy" / "config" / "on_call.json", data.resolve())
    plan = Plan(data.resolve(), ports, clock_file, {"alerts": on_call})
    playing = _demo(
        plan, Performance(lives, weeks, begun), _kills(kill or []), receiver, console(), keep=keep
    )
    raise typer.Exit(_played(playing))


def _played(playing: "Coroutine[Any, Any, int]") -> int:
    """Run the demo and return its exit status. Start-up failures are reported as `kith up` reports them."""
    from deploy.demo.settling import Unsettled
    from deploy.embedded.servers import MissingBinary, NotReady, PortTaken, TopicsRefused

    try:
        return uvloop.run(playing)
    except (PortTaken, TopicsRefused, Unsettled) as why:
        fail(str(why))
    except (MissingBinary, NotReady) as why:
        fail(f"{why}\nIf this machine lacks something, `{kith()} doctor` says what.")


def _refuse(given: object, why: str) -> None:
    if given:
        fail(why, code=2)


def _on_compose(
    against: str, people: int, weeks: int, seed: int, referrals: Path | None, *, keep: bool
) -> int:
    from deploy.compose.playing import CannotPlay, play_on_compose

    assert against == "compose"  # noqa: S101  (the only other place there is)
    try:
        return play_on_compose(people, weeks, seed, referrals, keep=keep)
    except CannotPlay as why:
        fail(str(why), code=2)


def _found(data: Path) -> list[str]:
    return [path.name for path in data.iterdir()] if data.is_dir() else []


def _require_own(data: Path) -> None:
    """End the command unless the folder is empty or holds an earlier demo."""
    from deploy.cli.reset import OURS

    found = _found(data)
    if found and not ("clock" in found and set(found) <= {*OURS, *OF_A_DEMO}):
        fail(f"{data} holds other things than a demo's: choose a folder of its own with --data", code=2)


def _fresh_clock(data: Path) -> Path:
    """Empty the data folder and set its clock to the play's start."""
    from deploy.cli.reset import delete
    from deploy.demo.play import START
    from deploy.embedded.clock import stepped_clock
    from deploy.embedded.state import AlreadyRunning, holder

    pid = holder(data)
    if pid is not None:
        fail(str(AlreadyRunning(data, pid or None)))
    if found := _found(data):
        delete([data / name for name in found])
    return stepped_clock(data, START)


def _kills(asked: list[str]) -> dict[int, list[str]]:
    """Map each day of the play to the services to kill on it."""
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
    performance: "Performance",
    kills: dict[int, list[str]],
    receiver: "Receiver",
    out: "Console",
    *,
    keep: bool,
) -> int:
    from deploy.demo.desks import Desks
    from deploy.demo.performance import perform
    from deploy.demo.receiver import listening
    from deploy.embedded.stack import running

    assert plan.clock_file is not None  # noqa: S101 (made a moment ago)
    async with running(
        plan, lambda line: out.print(f"{line.service}: {line.text}", style="yellow", markup=False)
    ) as stack:
        out.print(
            f"Four services, MongoDB and a Kafka-protocol broker are ready after {stack.seconds:.1f} s."
        )

        def disturb(day: int) -> None:
            for due in [planned for planned in kills if planned <= day]:
                for service in kills.pop(due):
                    out.print(f"kill -9 {service} on day {day}", style="yellow")
                    stack.services[service].kill()

        async with listening(receiver), Desks.of(stack.state) as desks:
            clinic, balanced = await perform(performance, desks, plan.clock_file, receiver, out, disturb)
            _say_where(plan, clinic, out)
        if keep:
            out.print("The stack stays up until Ctrl-C.")
            await _forever()
    return 0 if balanced else 1


def _say_where(plan: "Plan", clinic: "Clinic", out: "Console") -> None:
    """Print the commands that show this caseload again."""
    folder = _short(plan.data)
    someone = min(clinic.lives.values(), key=lambda life: life.person.number).patient_id
    out.print(f"All of it stays in {folder}. To look at its caseload:", soft_wrap=True)
    out.print(f"  {kith()} up --data {folder} --clock stepped", soft_wrap=True)
    out.print(f"opens {plan.url(PAGE)}/, the coordinators' page; while it runs,", soft_wrap=True)
    out.print(f"  {kith()} trace --data {folder} {someone}", soft_wrap=True)
    out.print("tells one person's story.")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


async def _forever() -> None:
    import signal

    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
