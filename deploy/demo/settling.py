"""Stepped time: move the clock, wait until nothing is in flight, move it again.

Nothing is in flight when every outbox is published, every published message was processed by all consumers
of its topic, no service is busy, and no timer due by now is unfired.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from shared.clock import step
from shared.messaging.topics import topics

PAUSE = 0.008


class Unsettled(Exception):
    """The stack did not come to rest in time; `why` says what was still in flight."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Flows(Protocol):
    @property
    def writes(self) -> int:
        """A counter that grows when a request that may change something is sent, and when it is answered."""
        ...

    async def flows(self) -> list[dict[str, Any]]:
        """`GET /flow` of every service. Raises `ConnectionError` if one does not answer."""
        ...


@dataclass
class Time:
    """The stack's clock and its next due moments."""

    clock_file: Path
    flows: Flows
    now: datetime
    patience: float = 60.0
    steps: int = 0
    due: tuple[datetime, ...] = ()
    _settled: tuple[datetime, int] | None = None
    """The moment and the write counter at which nothing was last in flight."""

    async def advance(self, to: datetime) -> None:
        """Move time (never back) and wait until everything it triggers has happened."""
        if to > self.now:
            self.now = to
            step(self.clock_file, to)
            self.steps += 1
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is in flight. Raises `Unsettled`.

        One look is enough, because offsets only grow: any new work shows in some service's answer. After a
        service was away it takes three, because the service has lost its in-memory offsets.
        """
        written = self.flows.writes
        deadline, looks, why = monotonic() + self.patience, 1, ""
        while monotonic() < deadline:
            try:
                flows = await self.flows.flows()
                why = unsettled(flows, self.now)
            except ConnectionError as error:
                looks, why = 3, str(error)
            looks -= not why
            if not why and not looks:
                self._settled = (self.now, written)
                self.due = tuple(datetime.fromisoformat(flow["due"]) for flow in flows if flow["due"])
                return
            await asyncio.sleep(PAUSE)
        raise Unsettled(why)

    async def settle_writes(self) -> None:
        """Like `settle`, but skip the look if the desks wrote nothing since the last one.

        For callers that write only through the desks.
        """
        if self._settled != (self.now, self.flows.writes):
            await self.settle()


def unsettled(flows: Sequence[dict[str, Any]], now: datetime) -> str:
    """Describe what is still in flight; empty if nothing is."""
    for flow in flows:
        if flow["busy"]:
            return f"{flow['service']} is at work"
    if len({flow["epoch"] for flow in flows}) != 1:
        return "the services are not all in the same epoch of the cluster"
    consumed = {flow["service"]: flow["consumed"] for flow in flows}
    for flow in flows:
        name = flow["service"]
        if flow["outbox_pending"]:
            return f"{name} has something to publish"
        if flow["held"]:
            return f"{name} holds messages back"
        if flow["lag"]:
            return f"{name} is {flow['lag']} messages behind"
        if flow["due"] and datetime.fromisoformat(flow["due"]) <= now:
            return f"{name} has work due since {flow['due']}"
        for place, offset in flow["published"].items():
            topic = topics()[place.rpartition("/")[0]]
            for consumer in topic.consumers:
                if consumer in consumed and consumed[consumer].get(place, 0) < offset:
                    return f"{consumer} has not read {place} up to {offset}"
    return ""
