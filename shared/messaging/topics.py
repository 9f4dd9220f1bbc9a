"""The topics, declared once in `shared/contracts/topics.json`: partitions, producer, consumers, types."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

DECLARATION = Path(__file__).parents[1] / "contracts" / "topics.json"

Lane = Literal["work", "crisis"]
LANES: tuple[Lane, ...] = ("crisis", "work")
"""The first goes first."""

EMBEDDED_PARTITIONS = 2


class Topic(BaseModel):
    """`lane`: crisis topics have an outbox lane, a producer and consumers of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    producer: str
    consumers: tuple[str, ...]
    partitions: int
    lane: Lane
    types: tuple[str, ...]
    retention_days: int | None = None
    """None: kept for good, since read models are built anew from the beginning of the log."""

    def partitions_on(self, *, embedded: bool) -> int:
        """The embedded broker's fetches cost by the partition, and one replica needs no more than two."""
        return min(self.partitions, EMBEDDED_PARTITIONS) if embedded else self.partitions


@cache
def topics() -> dict[str, Topic]:
    declared = TypeAdapter(list[Topic]).validate_json(DECLARATION.read_bytes())
    return {topic.name: topic for topic in declared}


def topic(name: str) -> Topic:
    """The declared topic; `KeyError` for one that nobody declared."""
    return topics()[name]
