"""Compares a cluster with the declaration, and applies it without removing topics, partitions or rights."""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic

from deploy.topics.cluster import Cluster
from deploy.topics.comparing import Difference, differences, missing_rights
from deploy.topics.declared import Shape
from deploy.topics.rights import Right

KNOWN_WITHIN_SECONDS, PAUSE_SECONDS = 10.0, 0.1


async def look(
    cluster: Cluster, wanted: Sequence[Shape], allowed: Sequence[Right] | None
) -> list[Difference]:
    """List the differences. `allowed` is None if rights are managed elsewhere. Raises `ClusterRefused`."""
    found = await cluster.shapes(topic.name for topic in wanted)
    about = differences(wanted, found)
    return about if allowed is None else [*about, *missing_rights(allowed, await cluster.rights())]


async def make_alike(
    cluster: Cluster, wanted: Sequence[Shape], allowed: Sequence[Right] | None
) -> list[Difference]:
    """Create and change what differs; return what is left to a person. Raises `ClusterRefused`.

    Removes no topic, partition or right.
    """
    found = await cluster.shapes(topic.name for topic in wanted)
    await cluster.make([topic for topic in wanted if topic.name not in found])
    there = {topic.name: topic for topic in wanted if topic.name in found}
    await cluster.add_partitions(
        {name: t.partitions for name, t in there.items() if found[name].partitions < t.partitions}
    )
    await cluster.set_configs({name: other for name, t in there.items() if (other := _other(t, found))})
    if allowed is not None and (given := await cluster.rights()) is not None:
        await cluster.allow([right for right in allowed if right not in given])
    return await _once_known(cluster, wanted, allowed)


async def _once_known(
    cluster: Cluster, wanted: Sequence[Shape], allowed: Sequence[Right] | None
) -> list[Difference]:
    """Look until the brokers have caught up with the controller's changes, or time is up."""
    until = monotonic() + KNOWN_WITHIN_SECONDS
    while True:
        left = await look(cluster, wanted, allowed)
        if not any(difference.mend for difference in left) or monotonic() > until:
            return left
        await asyncio.sleep(PAUSE_SECONDS)


def _other(wanted: Shape, found: Mapping[str, Shape]) -> dict[str, str]:
    """The settings whose value differs."""
    configs = found[wanted.name].configs
    return {name: value for name, value in wanted.configs.items() if configs.get(name) != value}
