"""Sets up the replica set, users and their rights, topics and development keys; safe to run repeatedly."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import monotonic

from deploy.compose.servers import SERVICES, administrator, ensure_users, initiate
from deploy.embedded.keys import ensure_keys
from deploy.topics.alike import make_alike
from deploy.topics.cluster import administering
from deploy.topics.declared import shapes
from deploy.topics.rights import rights
from shared.errors import SettingRefused
from shared.messaging.connection import connection, require_not_refused
from shared.mongo import refusal
from shared.settings import KafkaSettings, Settings

PAUSE_SECONDS, SAY_AGAIN_SECONDS = 0.5, 5.0
REPLICATION = 1
"""One copy, on one broker: all runs on one machine."""

KEPT = (
    "Kafka knows another or none; its volume keeps the first one. docker compose down && docker volume rm"
    " kith_kafka loses nothing: services fill a new log from their outboxes"
)


async def prepare(signing_key: Path, jwks: Path) -> None:
    """Wait for both servers without limit, saying so. Raises `SettingRefused`, `KeyError` for a password."""
    settings = Settings.load()
    ensure_keys(signing_key, jwks)
    await _until("MongoDB", lambda: _prepare_mongodb(settings.database_prefix))
    await _until("Kafka", lambda: prepare_kafka(settings, _passwords("KAFKA")))
    _say("ready: replica set, users, rights, topics and keys are there")


async def _prepare_mongodb(prefix: str) -> None:
    server = administrator(os.environ["MONGO_ROOT_PASSWORD"])
    passwords = _passwords("MONGO")
    try:
        await initiate(server)
        await ensure_users(server, passwords, prefix)
    except Exception as error:
        if refusal(error):
            why = "MongoDB knows another; its volume keeps the first one (docker compose down -v forgets it)"
            raise SettingRefused("MONGO_ROOT_PASSWORD", why=why) from None
        raise
    finally:
        await server.close()


async def prepare_kafka(settings: KafkaSettings, passwords: Mapping[str, str]) -> None:
    """Create users, rights and topics. Raises `SettingRefused`, `ClusterRefused`, `KafkaError`, `OSError`."""
    try:
        await require_not_refused(connection(settings))
    except SettingRefused as refused:
        if "kafka_password" in refused.settings:
            raise SettingRefused("KAFKA_ADMIN_PASSWORD", why=KEPT) from None
        raise
    async with administering(settings) as cluster:
        await cluster.give_passwords(passwords)
        left = await make_alike(cluster, shapes(REPLICATION, min_insync=1), rights())
    for difference in left:
        _say(f"{difference.where}: {difference.what} is {difference.found}, not {difference.wanted}")


def _passwords(server: str) -> dict[str, str]:
    """Passwords by service, from the environment. Raises `KeyError`."""
    return {service: os.environ[f"{service.upper()}_{server}_PASSWORD"] for service in SERVICES}


async def _until(what: str, attempt: Callable[[], Awaitable[object]]) -> None:
    said = float("-inf")
    while True:
        try:
            await attempt()
        except (SettingRefused, KeyError):
            raise
        except Exception as error:
            if monotonic() - said > SAY_AGAIN_SECONDS:
                said = monotonic()
                _say(f"waiting for {what}: {type(error).__name__}")
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
