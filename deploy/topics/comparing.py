"""Differences between a cluster and the declaration. Pure: no I/O, no changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.topics.declared import Shape
from deploy.topics.rights import Right

FOREVER = "-1"


@dataclass(frozen=True)
class Difference:
    """`mend`: what `apply` does about it; empty if a person must decide."""

    where: str
    what: str
    found: str
    wanted: str
    mend: str


def differences(wanted: Iterable[Shape], found: Mapping[str, Shape]) -> list[Difference]:
    """Differences in the order of the declaration; none asks to remove a topic, partitions or replicas."""
    return [difference for topic in wanted for difference in (_about(topic, found.get(topic.name)))]


def _about(wanted: Shape, found: Shape | None) -> list[Difference]:
    if found is None:
        size = f"{wanted.partitions} partitions, {wanted.replication} copies"
        return [Difference(wanted.name, "topic", "missing", size, "make it")]
    return [*_partitions(wanted, found), *_replication(wanted, found), *_configs(wanted, found)]


def _partitions(wanted: Shape, found: Shape) -> list[Difference]:
    if wanted.partitions == found.partitions:
        return []
    mend = "add partitions" if found.partitions < wanted.partitions else ""
    return [Difference(wanted.name, "partitions", str(found.partitions), str(wanted.partitions), mend)]


def _replication(wanted: Shape, found: Shape) -> list[Difference]:
    """More replicas than declared are accepted; fewer are left to a person: a reassignment moves data."""
    if found.replication >= wanted.replication:
        return []
    return [Difference(wanted.name, "copies", str(found.replication), str(wanted.replication), "")]


def _configs(wanted: Shape, found: Shape) -> list[Difference]:
    return [
        Difference(wanted.name, name, found.configs.get(name, "unknown"), value, "set it")
        for name, value in wanted.configs.items()
        if not _is_enough(name, found.configs.get(name), value)
    ]


def _is_enough(name: str, found: str | None, wanted: str) -> bool:
    """Longer retention than declared is accepted: shortening it would delete messages. -1 is for ever."""
    if name not in ("retention.ms", "retention.bytes") or found is None:
        return found == wanted
    return found == FOREVER or (wanted != FOREVER and int(found) >= int(wanted))


def missing_rights(wanted: Sequence[Right], found: set[Right] | None) -> list[Difference]:
    """`found` is None on a cluster without an authorizer, where every client may do anything."""
    if found is None:
        return [Difference("cluster", "rights", "no authorizer", "authorizer.class.name", "")]
    return [
        Difference(right.principal, f"{right.operation} {right.resource}", "missing", right.name, "allow it")
        for right in wanted
        if right not in found
    ]
