"""The whole log, read once from its beginning."""

import gc
import warnings

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.embedded.ports import LOOPBACK, free_ports
from shared.messaging.log import reading
from shared.messaging.publishing import Publisher
from shared.settings import Settings
from tests.support.letters import message
from tests.support.servers import AnyBroker, kafka_settings

TOPIC = "intake.referrals"


def settings(address: str) -> Settings:
    return Settings(environment="development", kafka=address, jwks="unused", **kafka_settings())


async def publish(address: str, *names: str) -> None:
    """One batch a partition."""
    publisher = Publisher(AIOKafkaProducer(bootstrap_servers=address, acks="all"))
    await publisher.start()
    await publisher.publish([message(name, 1) for name in names])
    await publisher.stop()


async def test_a_log_read_to_its_end_was_read_whole_although_it_ends_in_a_batch(broker: AnyBroker) -> None:
    await publish(broker.address, *(f"r{number}" for number in range(70)))
    await publish(broker.address, *(f"s{number}" for number in range(70)))
    found: list[bytes | None] = []
    async with reading(settings(broker.address), [TOPIC]) as log:
        ends = await log.ends()
        await publish(broker.address, "later")
        while not await log.has_reached(ends):
            found += [record.key for record in await log.some()]
        assert not await log.has_reached({place: end + 100 for place, end in ends.items()})
    assert {f"pat-{kind}{number}".encode() for number in range(70) for kind in "rs"} <= set(found)


async def test_a_log_that_cannot_be_opened_leaves_no_consumer_open() -> None:
    port = free_ports(1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises((KafkaError, OSError)):
            async with reading(settings(f"{LOOPBACK}:{port}"), [TOPIC]):
                pass
        gc.collect()
    assert [str(one.message) for one in warned if "AIOKafkaConsumer" in str(one.message)] == []
