"""What a relay published, seen where it hands messages to Kafka."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.messaging.envelope import Envelope
from shared.messaging.flow import Place
from shared.messaging.messaging import Messaging
from shared.messaging.publishing import Publisher, partition_of
from shared.messaging.topics import topic
from tests.support.servers import in_containers


async def rests(relaying: Messaging) -> bool:
    """Whether both lanes looked after the last beat, and wait."""
    epoch = relaying._epoch
    return epoch is not None and epoch.relay is not None and epoch.relay.has_published_all


class Log:
    """What was acknowledged, in order: subject and sequence. `refuses` says which places take nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[tuple[str, int]] = []
        self.refuses: Callable[[Place], bool] = lambda place: False
        publish = Publisher._publish

        async def noted(publisher: Publisher, name: str, partition: int, part: Sequence[Envelope]) -> int:
            if self.refuses((name, partition)):
                raise KafkaConnectionError
            reached = await publish(publisher, name, partition, part)
            self.messages += [(message.subject, message.sequence) for message in part]
            return reached

        monkeypatch.setattr(Publisher, "_publish", noted)

    def numbers(self, subject: str) -> list[int]:
        """Those of one subject, each when it came first."""
        return list(dict.fromkeys(number for name, number in self.messages if name == subject))


TOPIC = "intake.referrals"


def in_partition(number: int, count: int) -> list[str]:
    """Referrals that go there."""
    partitions = topic(TOPIC).partitions_on(embedded=not in_containers())
    names = (f"r{n}" for n in itertools.count())
    return list(itertools.islice((n for n in names if partition_of(f"pat-{n}", partitions) == number), count))
