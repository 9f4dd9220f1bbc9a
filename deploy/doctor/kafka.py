"""Kafka as every service needs it: who we are, topics with their partitions and copies, certificates."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from deploy.doctor import certificates
from deploy.embedded.diagnosis import Check
from shared.errors import SettingRefused
from shared.messaging.connection import connection, require_not_refused
from shared.messaging.topics import Topic, topics
from shared.settings import PREFIX, Settings

COPIES, IN_SYNC = 3, 2
KEPT = timedelta(days=7)
"""A consumer away for longer than the log is kept would never see what was dropped meanwhile."""

Described = dict[str, list[dict[str, Any]]]
Configured = dict[str, dict[str, str]]


async def checks(settings: Settings, service: str) -> list[Check]:
    found = await _certificates(settings)
    try:
        await require_not_refused(connection(settings))
        async with _admin(settings) as admin:
            described = {
                t["topic"]: t["partitions"] for t in await admin.describe_topics() if not t["error_code"]
            }
            configured = await _configured(admin, sorted(described.keys() & topics().keys()))
    except SettingRefused as refused:
        names = " and ".join(f"{PREFIX}{name}".upper() for name in refused.settings)
        return [*found, Check("Kafka", False, refused.why, f"mend {names}")]
    except (KafkaError, OSError, TimeoutError) as error:
        mend = "start it, or let this machine reach every broker it names"
        return [*found, Check("Kafka", False, f"{settings.kafka}: {type(error).__name__}", mend)]
    wanted = [t for t in topics().values() if service == t.producer or service in t.consumers]
    return [*found, *of_topics(wanted, described, configured)]


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=5000)
    try:
        async with asyncio.timeout(15):
            await admin.start()
        yield admin
    finally:
        await admin.close()


async def _configured(admin: AIOKafkaAdminClient, names: list[str]) -> Configured:
    """Topic → option → value; empty where the broker does not tell."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: Configured = {}
    for answer in await admin.describe_configs(asked):
        for code, _, _, name, entries, *_ in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _certificates(settings: Settings) -> list[Check]:
    if (context := settings.kafka_tls()) is None:
        return []
    places = [place.strip().rpartition(":")[::2] for place in settings.kafka.split(",")]
    looks = (certificates.of_server("Kafka TLS", host, int(port), context) for host, port in places)
    found = list(await asyncio.gather(*looks))
    if settings.kafka_certificate_file is not None:
        found.append(certificates.of_file("Kafka TLS", settings.kafka_certificate_file))
    return found


def of_topics(wanted: Iterable[Topic], described: Described, configured: Configured) -> list[Check]:
    """One check per topic that is not as declared; one for all when all are."""
    looked = list(wanted)
    wrong = [
        Check("topics", False, f"{topic.name} {found}", mend)
        for topic in looked
        for found, mend in _wrong(topic, described.get(topic.name), configured.get(topic.name, {}))
    ]
    return wrong or [Check("topics", True, f"{len(looked)} as declared")]


def _wrong(
    topic: Topic, partitions: list[dict[str, Any]] | None, options: dict[str, str]
) -> Iterable[tuple[str, str]]:
    if partitions is None:
        yield "is missing", f"make it with {topic.partitions} partitions and {COPIES} copies"
        return
    if len(partitions) != topic.partitions:
        yield (
            f"has {len(partitions)} partitions instead of {topic.partitions}",
            "add the missing ones" if len(partitions) < topic.partitions else "delete it and make it anew",
        )
    yield from _copies(partitions)
    yield from _options(options)


def _copies(partitions: list[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    copies = min(len(p["replicas"]) for p in partitions)
    if copies < COPIES:
        yield f"has {copies} copies", f"give every partition {COPIES}: one broker that fails must not stop it"
    behind = [str(p["partition"]) for p in partitions if len(p["isr"]) < len(p["replicas"])]
    if behind:
        yield f"has copies behind in partitions {', '.join(behind)}", "bring back the brokers that have them"


def _options(options: dict[str, str]) -> Iterable[tuple[str, str]]:
    if not options:
        return
    if int(options.get("min.insync.replicas", "1")) < IN_SYNC:
        yield "acknowledges what one broker alone has", f"set min.insync.replicas={IN_SYNC} on it"
    kept = int(options.get("retention.ms", "-1"))
    if 0 <= kept < KEPT / timedelta(milliseconds=1):
        days = timedelta(milliseconds=kept) / timedelta(days=1)
        yield f"is kept for {days:.1f} days", f"set retention.ms to {KEPT.days} days at least"
    if options.get("unclean.leader.election.enable") == "true":
        yield "may elect a leader that lacks messages", "set unclean.leader.election.enable=false"
    if "delete" not in options.get("cleanup.policy", "delete"):
        yield "is compacted: only each person's last message stays", "set cleanup.policy=delete"
