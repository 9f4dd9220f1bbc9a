"""`kith token`: a bearer token that the stack in the data folder accepts."""

from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.console import DATA, DataFolder, fail


class Role(StrEnum):
    COORDINATOR = "coordinator"
    CLINICIAN = "clinician"
    ENGINEER = "engineer"
    SERVICE = "service"


def register(app: typer.Typer) -> None:
    app.command("token")(token)


def token(
    role: Annotated[Role, typer.Option(help="What the holder may do.")],
    clinic: Annotated[str, typer.Option(help="The one clinic the holder may see; `*` for all.")] = "*",
    subject: Annotated[str, typer.Option(help="Who holds it; by default a name made of the role.")] = "",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365, help="How long it is good.")] = 12.0,
    data: DataFolder = DATA,
) -> None:
    """Print a development token, valid only for the stack of this data folder."""
    from datetime import timedelta

    from deploy.embedded.keys import development_token
    from shared.auth import CLINIC, SUBJECT

    for name, value, allowed in (("clinic", clinic, CLINIC), ("subject", subject or "dev", SUBJECT)):
        if allowed.fullmatch(value) is None:
            fail(f"--{name}: use letters, digits and _ - . : (at most 100)", code=2)
    key = data.resolve() / "keys" / "development.json"
    try:
        print(
            development_token(
                key, role.value, clinic=clinic, subject=subject or None, lifetime=timedelta(hours=hours)
            )
        )
    except FileNotFoundError:
        fail(f"{data} has no signing key yet; `kith up` makes one")
