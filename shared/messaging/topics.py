"""The topics, declared once in `shared/contracts/topics.json`: partitions, producer, consumers, types."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

DECLARATION = Path(__file__).parents[1] / "contracts" / "topics.json"

Lane = Literal["work", "crisis"]
LANES: tuple[Lane, ...] = ("crisis", "work")
"""In order of priority."""

EMBEDDED_PARTITIONS = 2


class Topic(BaseModel):
    """One declared topic. `lane`: crisis topics have their own outbox lane, producer and consumers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    producer: str
    consumers: tuple[str, ...]
    partitions: int
    lane: Lane
    types: tuple[str, ...]
    retention_days: int | None = None
    """None: kept forever, since read models are rebuilt from the beginning of the log."""

    def partitions_on(self, *, embedded: bool) -> int:
        """Return the partition count; at most two on the embedded broker, where each adds to fetch cost."""
        return min(self.partitions, EMBEDDED_PARTITIONS) if embedded else self.partitions


@cache
def topics() -> dict[str, Topic]:
    declared = TypeAdapter(list[Topic]).validate_json(DECLARATION.read_bytes())
    return {topic.name: topic for topic in declared}


def topic(name: str) -> Topic:
    """Return the declared topic. Raises `KeyError` for an undeclared one."""
    return topics()[name]
