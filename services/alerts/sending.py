"""One attempt to deliver over a channel, counted and traced."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from services.alerts.channels import Channel, Message, Undelivered
from services.alerts.domain import delivery as deliveries
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.reasons import DeliveryReason
from services.alerts.metrics import ATTEMPTS
from shared import tracing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempted:
    """The outcome of one attempt."""

    state: Literal["delivered", "failed", "skipped"]
    reason: DeliveryReason = "delivered"
    for_good: bool = False

    def applied(self, delivery: Delivery, now: datetime) -> Delivery:
        match self.state:
            case "delivered":
                return deliveries.delivered(delivery, now)
            case "skipped":
                return deliveries.skipped(delivery, self.reason, now)
            case "failed":
                return deliveries.failed(delivery, self.reason, now, for_good=self.for_good)


async def send(channel: Channel, address: str, delivery: Delivery, message: Message) -> Attempted:
    """Try once, within the channel's timeout."""
    about = {"kith.delivery_id": delivery.id, "kith.channel": delivery.channel}
    span = tracing.within(delivery.traceparent, f"notify {delivery.channel}", "client", about)
    attempted = await _sent(channel, address, message)
    ATTEMPTS.labels(delivery.channel, attempted.state, attempted.reason).inc()
    if span is not None:
        if attempted.state != "delivered":
            span.fail(attempted.reason)
        span.end()
    return attempted


async def _sent(channel: Channel, address: str, message: Message) -> Attempted:
    try:
        async with asyncio.timeout(channel.timeout):
            await channel.send(address, message)
    except Undelivered as error:
        return Attempted("failed", error.reason, error.for_good)
    except TimeoutError:
        return Attempted("failed", "timed_out")
    except Exception as error:
        log.warning("attempt failed", delivery_id=message.delivery_id, error=type(error).__name__)
        return Attempted("failed", "unexpected_error")
    return Attempted("delivered")
