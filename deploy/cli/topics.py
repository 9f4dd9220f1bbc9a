"""`kith topics`: compare a Kafka cluster's topics and rights with the declared ones, and apply those.

The cluster and the credentials come from the environment: `KITH_KAFKA`, `KITH_KAFKA_SECURITY` and so on.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.console import console, fail

if TYPE_CHECKING:
    from deploy.topics.cluster import Cluster
    from deploy.topics.comparing import Difference
    from deploy.topics.declared import Shape
    from deploy.topics.rights import Right
    from shared.settings import KafkaSettings

    Look = Callable[[Cluster, list[Shape], list[Right] | None], Awaitable[list[Difference]]]

SAY_AGAIN_SECONDS, PAUSE_SECONDS = 5.0, 0.5

Copies = Annotated[int, typer.Option("--replication", min=1, max=9, help="Copies of each partition.")]
InSync = Annotated[int, typer.Option("--min-insync", min=1, help="Copies that must be written.")]
Rights = Annotated[bool, typer.Option("--acls/--no-acls", help="Also the rights of each service.")]
Principal = Annotated[str, typer.Option("--principal", help="How the cluster names a service.")]
Within = Annotated[float, typer.Option("--within", min=1, help="Seconds to wait for Kafka.")]


def register(app: typer.Typer) -> None:
    topics = typer.Typer(help="Topics and rights on a Kafka cluster, as declared.", no_args_is_help=True)
    topics.command("plan")(plan)
    topics.command("apply")(apply)
    topics.command("acls")(acls)
    app.add_typer(topics, name="topics")


def plan(
    *,
    replication: Copies = 3,
    min_insync: InSync = 2,
    rights: Rights = True,
    principal: Principal = "User:{service}",
    within: Within = 60,
) -> None:
    """Show what differs. Exit 0: nothing; 1: something; 2: wrong settings, or Kafka refuses or is down."""
    from deploy.topics.alike import look

    _end(
        _run(look, replication, min_insync, principal if rights else None, within),
        "{} differences; apply mends {} of them.",
    )


def apply(
    *,
    replication: Copies = 3,
    min_insync: InSync = 2,
    rights: Rights = True,
    principal: Principal = "User:{service}",
    within: Within = 60,
) -> None:
    """Apply what differs; never remove topics, partitions or rights.

    Exit 0: nothing differs any more; 1: differences are left; 2: as for plan.
    """
    from deploy.topics.alike import make_alike

    _end(
        _run(make_alike, replication, min_insync, principal if rights else None, within),
        "{} differences are left.",
    )


def acls(*, principal: Principal = "User:{service}") -> None:
    """Print the rights as commands for kafka-acls.sh."""
    from deploy.topics.rights import commands, rights

    try:
        wanted = rights(principal)
    except ValueError as error:
        fail(str(error), code=2)
    for line in commands(wanted, os.environ.get("KITH_KAFKA", "localhost:9092")):
        print(line)


def _settings() -> "KafkaSettings":
    from shared.process import to_mend
    from shared.settings import KafkaSettings

    try:
        return KafkaSettings()
    except ValueError as error:
        fail("\n".join(to_mend(error)), code=2)


def _run(
    look: "Look", replication: int, min_insync: int, principal: str | None, within: float
) -> "list[Difference]":
    from deploy.topics.cluster import ClusterRefused
    from deploy.topics.declared import shapes
    from deploy.topics.rights import rights
    from shared.errors import SettingRefused

    settings = _settings()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it repeats what is reported here once
    try:
        wanted = shapes(replication, min_insync)
        allowed = None if principal is None else rights(principal)
        return asyncio.run(_patiently(settings, lambda cluster: look(cluster, wanted, allowed), within))
    except (ValueError, ClusterRefused, SettingRefused, TimeoutError) as error:
        fail(str(error), code=2)


async def _patiently(
    settings: "KafkaSettings", look: "Callable[[Cluster], Awaitable[list[Difference]]]", within: float
) -> "list[Difference]":
    """Retry until Kafka answers, saying so. Raises `SettingRefused` at once, `TimeoutError` in the end."""
    from aiokafka.errors import KafkaError

    from deploy.topics.cluster import administering
    from shared.messaging.connection import connection, require_not_refused

    end, said = monotonic() + within, float("-inf")
    while True:
        try:
            async with administering(settings) as cluster:
                return await look(cluster)
        except (KafkaError, OSError) as error:
            await require_not_refused(connection(settings))
            if monotonic() > end:
                raise TimeoutError(f"kafka: no answer from {settings.kafka} within {within:g} s") from error
            if monotonic() - said > SAY_AGAIN_SECONDS:
                said = monotonic()
                console(stderr=True).print(f"waiting for Kafka at {settings.kafka}", markup=False)
            await asyncio.sleep(PAUSE_SECONDS)


def _end(found: "list[Difference]", closing: str) -> None:
    """Print the table and a one-line summary, then exit: 0 if nothing differs, else 1."""
    from rich.table import Table

    if not found:
        console().print("The cluster is as declared.")
        raise typer.Exit(0)
    shown = Table(box=None, pad_edge=False)
    for column in ("where", "what", "found", "wanted", "apply"):
        shown.add_column(column, overflow="fold")
    for row in found:
        shown.add_row(row.where, row.what, row.found, row.wanted, row.mend or "[red]left to you[/]")
    console().print(shown)
    console().print(closing.format(len(found), sum(bool(row.mend) for row in found)))
    raise typer.Exit(1)
