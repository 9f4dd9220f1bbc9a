"""`kith doctor`: what this machine lacks, and the command that mends it."""

from typing import Annotated

import typer

from deploy.cli.console import DATA, DataFolder, console
from deploy.embedded.plan import KAFKA_PORT, MONGOD_PORT, PORT_BASE


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
) -> None:
    """Check this machine, a line each; exit status 1 when anything is missing."""
    from deploy.embedded.diagnosis import diagnose
    from deploy.embedded.plan import Ports

    out = console()
    ports = None if skip_ports else Ports.above(port_base, mongod=mongod_port, kafka=kafka_port)
    missing = 0
    for check in diagnose(data.resolve(), ports):
        missing += not check.ok
        if not check.ok:
            out.print(f"[red]missing[/]  {check.name:<11} {check.found}", soft_wrap=True)
            out.print(f"         {'':<11} mend it with: [bold]{check.mend}[/]", soft_wrap=True)
        elif not quiet:
            out.print(f"[green]ok[/]       {check.name:<11} {check.found}", soft_wrap=True)
    raise typer.Exit(1 if missing else 0)
