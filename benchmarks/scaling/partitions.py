"""Another number of partitions of `intake.referrals` than declared, in this process; others as embedded."""

from collections.abc import Iterator
from contextlib import contextmanager

import shared.messaging.topics as declaration
from benchmarks.contenders.filling import INTAKE_TOPIC
from shared.messaging.topics import EMBEDDED_PARTITIONS, topics

MOST = 12


def declare(partitions: int) -> None:
    """Every process that is to agree with the broker calls this before it asks for a topic."""
    for name, topic in topics().items():
        number = partitions if name == INTAKE_TOPIC else topic.partitions_on(embedded=True)
        topics()[name] = topic.model_copy(update={"partitions": number})
    declaration.EMBEDDED_PARTITIONS = MOST


@contextmanager
def declared(partitions: int) -> Iterator[None]:
    """`declare`, and as it was after the block."""
    before = dict(topics())
    declare(partitions)
    try:
        yield
    finally:
        topics().update(before)
        declaration.EMBEDDED_PARTITIONS = EMBEDDED_PARTITIONS
