"""Long work a part at a time: a crisis may be among what waits for the same event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_turns(items: Iterable[T], at_a_turn: int) -> AsyncIterator[T]:
    """The items in order; after every few, everybody else who is ready goes first."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % at_a_turn == 0:
            await asyncio.sleep(0)
