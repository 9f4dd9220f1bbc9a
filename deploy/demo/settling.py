"""Stepped time: move the clock, wait until nothing is in flight, move it again.

Nothing is in flight when every outbox is published, every message published was processed by all who
read its topic, no one is at work, nothing due at this moment is unfired, and a second look finds the same.
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
    """The stack did not come to rest in time; `why` says what was still moving."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Flows(Protocol):
    async def flows(self) -> list[dict[str, Any]]:
        """`GET /flow` of every service; raises `ConnectionError` while one of them is away."""
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

    async def advance(self, to: datetime) -> None:
        """Move time (never back) and wait until all that follows from it has happened."""
        if to > self.now:
            self.now = to
            step(self.clock_file, to)
            self.steps += 1
        await self.settle()

    async def settle(self) -> None:
        deadline, before, why = monotonic() + self.patience, None, ""
        while monotonic() < deadline:
            try:
                flows = await self.flows.flows()
            except ConnectionError as error:
                before, why = None, str(error)
                await asyncio.sleep(0.1)
                continue
            why = unsettled(flows, self.now)
            seen = [(flow["published"], flow["consumed"]) for flow in flows]
            if not why and seen == before:
                self.due = tuple(datetime.fromisoformat(flow["due"]) for flow in flows if flow["due"])
                return
            before = None if why else seen
            await asyncio.sleep(PAUSE if why else 0)
        raise Unsettled(why)


def unsettled(flows: Sequence[dict[str, Any]], now: datetime) -> str:
    """What is still moving, or nothing."""
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
                if consumed[consumer].get(place, 0) < offset:
                    return f"{consumer} has not read {place} up to {offset}"
    return ""
