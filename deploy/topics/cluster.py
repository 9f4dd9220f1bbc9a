"""Administration of a Kafka cluster: its present state, and the few changes that `apply` makes.

aiokafka's admin client has no methods for rights and passwords: those requests are sent through its
internal client, here and nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from deploy.topics.declared import Shape
from deploy.topics.rights import Right
from deploy.topics.scram import GivePasswords
from shared.messaging.connection import connection
from shared.settings import KafkaSettings

TIMEOUT_MS = 15_000
FROM_TOPIC, EXISTS, NO_AUTHORIZER = 1, 36, 54
ANY, ALLOW = 1, 3
RESOURCES = {"topic": 2, "group": 3}
PATTERNS = {"literal": 3, "prefixed": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8}


class ClusterRefused(Exception):
    """The cluster refused a request; the message names it and Kafka's own reason."""


class Cluster:
    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def shapes(self, names: Iterable[str]) -> dict[str, Shape]:
        """The existing ones of these topics, with all their settings.

        The request is for all topics: some brokers create a topic that is named in one.
        """
        described = await self._admin.describe_topics()
        there = {row["topic"]: row for row in described if not row["error_code"]}
        chosen = [name for name in names if name in there]
        configs = await self._configs(chosen)
        return {
            name: Shape(
                name,
                len(parts := there[name]["partitions"]),
                min((len(part["replicas"]) for part in parts), default=0),
                {key: value for key, (value, _) in configs[name].items()},
            )
            for name in chosen
        }

    async def _configs(self, names: Sequence[str]) -> dict[str, dict[str, tuple[str, int]]]:
        """Per topic: setting → its value and the source of the value."""
        found: dict[str, dict[str, tuple[str, int]]] = {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        for answer in await self._admin.describe_configs(asked) if asked else ():
            for code, why, _, name, entries in answer.resources:
                _require(code, f"the settings of {name}", why)
                found[name] = {entry[0]: (entry[1] or "", entry[3]) for entry in entries}
        return found

    async def make(self, topics: Sequence[Shape]) -> None:
        """Create topics; those created concurrently by others are left as they are."""
        if not topics:
            return
        new = [NewTopic(t.name, t.partitions, t.replication, topic_configs=t.configs) for t in topics]
        answer = await self._admin.create_topics(new, timeout_ms=TIMEOUT_MS)
        for name, code, *why in answer.topic_errors:
            if code != EXISTS:
                _require(code, f"making {name}", *why)

    async def add_partitions(self, counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            try:
                await self._admin.create_partitions({name: NewPartitions(count)}, timeout_ms=TIMEOUT_MS)
            except KafkaError as error:
                raise ClusterRefused(f"adding partitions to {name}: {error}") from None

    async def set_configs(self, topics: Mapping[str, Mapping[str, str]]) -> None:
        """Change settings. The request replaces all of a topic's own settings, so it repeats the others."""
        if not topics:
            return
        present = await self._configs(list(topics))
        resources = []
        for name, configs in topics.items():
            own = {key: value for key, (value, source) in present[name].items() if source == FROM_TOPIC}
            resources.append(ConfigResource(ConfigResourceType.TOPIC, name, own | dict(configs)))
        for answer in await self._admin.alter_configs(resources):
            for code, why, _, name in answer.resources:
                _require(code, f"the settings of {name}", why)

    async def rights(self) -> set[Right] | None:
        """Every ALLOW from any host on topics and groups; None if the cluster has no authorizer."""
        answer = await self._ask(DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY))
        if answer.error_code == NO_AUTHORIZER:
            return None
        _require(answer.error_code, "the rights", answer.error_message)
        resources, patterns, operations = (_names(codes) for codes in (RESOURCES, PATTERNS, OPERATIONS))
        return {
            Right(principal, resources[resource], name, patterns[pattern], operations[operation])  # type: ignore[arg-type]
            for resource, name, pattern, entries in answer.resources
            for principal, host, operation, permission in entries
            if (permission, host) == (ALLOW, "*")
            and resource in resources
            and pattern in patterns
            and operation in operations
        }

    async def allow(self, wanted: Iterable[Right]) -> None:
        for right in wanted:
            resource, pattern = RESOURCES[right.resource], PATTERNS[right.pattern]
            operation = OPERATIONS[right.operation]
            answer = await self._ask(
                CreateAclsRequest(resource, right.name, pattern, right.principal, "*", operation, ALLOW)
            )
            for code, why in answer.creation_responses:
                _require(code, f"allowing {right.principal} to {right.operation} {right.name}", why)

    async def give_passwords(self, passwords: Mapping[str, str]) -> None:
        """Create or change users' passwords (SCRAM-SHA-512); existing connections stay open."""
        answer = await self._ask(GivePasswords(passwords))
        for user, code, why, _ in answer.results:
            _require(code, f"giving {user} a password", why)

    async def _ask(self, request: Any) -> Any:
        client = self._admin._client
        return await client.send(client.get_random_node(), request)


def _names(codes: Mapping[str, int]) -> dict[int, str]:
    return {code: name for name, code in codes.items()}


def _require(code: int, what: str, why: str | None = None) -> None:
    if code:
        raise ClusterRefused(f"{what}: {why or for_code(code).__name__}")


@asynccontextmanager
async def administering(settings: KafkaSettings) -> AsyncIterator[Cluster]:
    """Raises `KafkaError` or `OSError` when no broker answers."""
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=TIMEOUT_MS)
    try:
        await admin.start()
        yield Cluster(admin)
    finally:
        async with asyncio.timeout(5):
            await admin.close()
