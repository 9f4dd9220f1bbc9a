"""Builds a service's AsyncAPI 3 document with FastStream; reactions are its operations.

The broker serves only the document. Each reaction is a typed subscriber (its name and docstring are the
published text), and each announced event is a publisher.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from shared.messaging.event import Event

if TYPE_CHECKING:
    from shared.messaging.consumer import Subscription


def document(
    service: str, title: str, events: Sequence[type[Event]], subscriptions: "Sequence[Subscription]"
) -> dict[str, Any]:
    broker = KafkaBroker("localhost:9092")
    for event in events:
        broker.publisher(
            event.topic, title=f"announce {event.__name__}", description=event.__doc__, schema=event
        )
    for subscription in subscriptions:
        for model, react in subscription.reactions:

            async def operation(fact: Any) -> None:
                return None

            operation.__name__ = react.__name__
            operation.__doc__ = react.__doc__
            operation.__annotations__ = {"fact": model, "return": None}
            channel = f"{react.__name__}/{model.topic}/{model.__name__}"
            broker.subscriber(model.topic, title=channel, group_id=f"{service}.{subscription.name}")(
                operation
            )
    spec = AsyncAPI(
        broker, title=title, version="1", identifier=f"urn:kith:{service}", schema_version="3.0.0"
    )
    return dict(spec.to_specification().to_jsonable())
