"""Kafka as every service needs it: credentials, topics as declared, replicas in sync, certificates."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.doctor import certificates
from deploy.embedded.diagnosis import Check
from deploy.topics.cluster import Cluster, ClusterRefused
from deploy.topics.comparing import Difference, differences
from deploy.topics.declared import Shape, shapes
from shared.errors import SettingRefused
from shared.messaging.connection import connection, require_not_refused
from shared.messaging.topics import topic
from shared.settings import PREFIX, Settings

Partitions = Mapping[str, list[dict[str, Any]]]


async def checks(settings: Settings, service: str) -> list[Check]:
    found = await _certificates(settings)
    wanted = [shape for shape in shapes() if concerns(service, shape.name)]
    try:
        await require_not_refused(connection(settings))
        async with _admin(settings) as admin:
            partitions = await _partitions(admin)
            told = await _told(Cluster(admin), wanted, partitions)
    except SettingRefused as refused:
        names = " and ".join(f"{PREFIX}{name}".upper() for name in refused.settings)
        return [*found, Check("Kafka", False, refused.why, f"mend {names}")]
    except (KafkaError, OSError, TimeoutError) as error:
        mend = "start it, or let this machine reach every broker it names"
        return [*found, Check("Kafka", False, f"{settings.kafka}: {type(error).__name__}", mend)]
    return [*found, *of_topics(wanted, told), *of_copies(wanted, partitions)]


def concerns(service: str, name: str) -> bool:
    return service == topic(name).producer or service in topic(name).consumers


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=5000)
    try:
        async with asyncio.timeout(15):
            await admin.start()
        yield admin
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> Partitions:
    """Partitions of every topic. None is named in the request: some brokers create a topic named in one."""
    return {row["topic"]: row["partitions"] for row in await admin.describe_topics() if not row["error_code"]}


async def _told(cluster: Cluster, wanted: Iterable[Shape], partitions: Partitions) -> dict[str, Shape]:
    """Topics as the cluster reports them, without their settings if the service's user may not read those."""
    names = [shape.name for shape in wanted]
    try:
        return await cluster.shapes(names)
    except (ClusterRefused, KafkaError):
        return {
            name: Shape(name, len(parts), min(len(part["replicas"]) for part in parts))
            for name in names
            if (parts := partitions.get(name))
        }


async def _certificates(settings: Settings) -> list[Check]:
    if (context := settings.kafka_tls()) is None:
        return []
    places = [place.strip().rpartition(":")[::2] for place in settings.kafka.split(",")]
    looks = (certificates.of_server("Kafka TLS", host, int(port), context) for host, port in places)
    found = list(await asyncio.gather(*looks))
    if settings.kafka_certificate_file is not None:
        found.append(certificates.of_file("Kafka TLS", settings.kafka_certificate_file))
    return found


def of_topics(wanted: list[Shape], found: Mapping[str, Shape]) -> list[Check]:
    """One check per difference from the declaration; a single passed one if there is none."""
    unknown = [shape.name for shape in found.values() if not shape.configs]
    asked = [replace(shape, configs={}) if shape.name in unknown else shape for shape in wanted]
    wrong = [_check(difference) for difference in differences(asked, found)]
    told = f"{len(wanted)} as declared"
    if unknown:
        told = f"{len(wanted)} with their partitions; `kith topics plan`, as administrator, compares the rest"
    return wrong or [Check("topics", True, told)]


def _check(difference: Difference) -> Check:
    told = f"{difference.where}: {difference.what} {difference.found} instead of {difference.wanted}"
    by_hand = "reassign its partitions, or delete it and make it anew: see docs/runbooks.md, topics"
    return Check("topics", False, told, "kith topics apply" if difference.mend else by_hand)


def of_copies(wanted: Iterable[Shape], partitions: Partitions) -> list[Check]:
    """A failed check per topic with replicas out of sync: they will be missing when the next broker fails."""
    found = []
    for shape in wanted:
        parts = partitions.get(shape.name, [])
        behind = sorted(part["partition"] for part in parts if len(part["isr"]) < len(part["replicas"]))
        if behind:
            told = f"{shape.name} has copies behind in partitions {', '.join(map(str, behind))}"
            found.append(Check("topics", False, told, "bring back the brokers that have them"))
    return found
