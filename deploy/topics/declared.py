"""The declared topics as they should be on a cluster: partitions, replicas, retention."""

from dataclasses import dataclass, field
from datetime import timedelta

from shared.messaging.topics import Topic, topics

REPLICATION, MIN_INSYNC = 3, 2
"""With acks=all: one broker may fail without losing acknowledged messages; with two away, writes stop."""


@dataclass(frozen=True)
class Shape:
    """A topic as it is, or should be, on a cluster."""

    name: str
    partitions: int
    replication: int
    configs: dict[str, str] = field(default_factory=dict)


def shapes(replication: int = REPLICATION, min_insync: int = MIN_INSYNC) -> list[Shape]:
    """Every declared topic. Raises `ValueError` if one lost replica would stop all writes."""
    if not 1 <= min_insync <= max(1, replication - 1):
        raise ValueError(
            f"--min-insync {min_insync} with --replication {replication}:"
            " it must be at least 1 and below the replication, or one broker away stops all announcements"
        )
    return [shape(topic, replication, min_insync) for topic in topics().values()]


def shape(topic: Topic, replication: int, min_insync: int) -> Shape:
    """Never compacted: each message is a fact in itself, not a newer state that replaces the last."""
    kept = timedelta(days=topic.retention_days) // timedelta(milliseconds=1) if topic.retention_days else -1
    configs = {
        "cleanup.policy": "delete",
        "retention.ms": str(kept),
        "retention.bytes": "-1",
        "min.insync.replicas": str(min_insync),
        "unclean.leader.election.enable": "false",
    }
    return Shape(topic.name, topic.partitions_on(embedded=False), replication, configs)
