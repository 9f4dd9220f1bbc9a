"""`kith doctor`: what this machine, or with `--prod` a production service, lacks, and how to fix it."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.client import ServiceName
from deploy.cli.console import DATA, DataFolder, console, fail
from deploy.embedded.plan import KAFKA_PORT, MONGOD_PORT, PORT_BASE

if TYPE_CHECKING:
    from deploy.embedded.diagnosis import Check


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    *,
    data: DataFolder = DATA,
    port_base: Annotated[int, typer.Option(min=1, max=65000)] = PORT_BASE,
    mongod_port: Annotated[int, typer.Option(min=1, max=65535)] = MONGOD_PORT,
    kafka_port: Annotated[int, typer.Option(min=1, max=65535)] = KAFKA_PORT,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what is missing.")] = False,
    skip_ports: Annotated[bool, typer.Option("--skip-ports", help="Do not look at ports.")] = False,
    prod: Annotated[
        bool, typer.Option("--prod", help="Check a service's settings and servers instead of this machine.")
    ] = False,
    service: Annotated[
        ServiceName | None, typer.Option("--service", help="With --prod: whose environment this is.")
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="With --prod: NAME=VALUE lines instead of this process's."
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="With --prod: also the mail server and the webhooks' addresses.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check this machine, one line per check; exit status 1 when anything is missing.

    With --prod, a service as it would run in production: its settings, keys, certificates, MongoDB, Kafka.
    """
    if prod:
        if service is None:
            fail("--prod needs --service: whose environment is this?", code=2)
        checks: Iterable[Check] = _production(service.value, env_file, deep=deep)
    else:
        checks = _machine(data.resolve(), port_base, mongod_port, kafka_port, skip_ports=skip_ports)
    missing = _print(checks, as_json=as_json, quiet=quiet)
    raise typer.Exit(1 if missing else 0)


def _production(service: str, env_file: Path | None, *, deep: bool) -> "list[Check]":
    from deploy.doctor.examination import examine
    from deploy.doctor.reading import read_environment

    return asyncio.run(examine(service, read_environment(env_file), deep=deep))


def _machine(
    data: Path, port_base: int, mongod_port: int, kafka_port: int, *, skip_ports: bool
) -> "Iterable[Check]":
    from deploy.embedded.diagnosis import diagnose
    from deploy.embedded.plan import Ports

    ports = None if skip_ports else Ports.above(port_base, mongod=mongod_port, kafka=kafka_port)
    return diagnose(data, ports)


def _print(checks: "Iterable[Check]", *, as_json: bool, quiet: bool) -> int:
    """Print the checks and return how many failed."""
    if as_json:
        found = list(checks)
        print(json.dumps([asdict(check) for check in found], indent=2))
        return sum(not check.ok for check in found)
    missing = 0
    for check in checks:
        missing += not check.ok
        if not check.ok or not quiet:
            _show(check)
    return missing


def _show(check: "Check") -> None:
    from rich.text import Text

    mark = ("ok       ", "green") if check.ok else ("missing  ", "red")
    console().print(Text.assemble(mark, f"{check.name:<17} {check.found}"), soft_wrap=True)
    if not check.ok:
        mend = Text.assemble(f"{'':<27}mend it with: ", (check.mend, "bold"))
        console().print(mend, soft_wrap=True)
