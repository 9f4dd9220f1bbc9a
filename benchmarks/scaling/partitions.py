"""Overrides the number of partitions of `intake.referrals` in this process; others stay as embedded."""

from collections.abc import Iterator
from contextlib import contextmanager

import shared.messaging.topics as declaration
from benchmarks.contenders.filling import INTAKE_TOPIC
from shared.messaging.topics import EMBEDDED_PARTITIONS, topics

MOST = 12


def declare(partitions: int) -> None:
    """Override the number; call it in each process that uses the broker, before it uses a topic."""
    for name, topic in topics().items():
        number = partitions if name == INTAKE_TOPIC else topic.partitions_on(embedded=True)
        topics()[name] = topic.model_copy(update={"partitions": number})
    declaration.EMBEDDED_PARTITIONS = MOST


@contextmanager
def declared(partitions: int) -> Iterator[None]:
    """Apply `declare` inside the block, and restore the declaration after it."""
    before = dict(topics())
    declare(partitions)
    try:
        yield
    finally:
        topics().update(before)
        declaration.EMBEDDED_PARTITIONS = EMBEDDED_PARTITIONS
