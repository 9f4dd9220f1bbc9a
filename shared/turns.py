"""Splits long work into parts, because a crisis may be waiting for the same event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_turns(items: Iterable[T], at_a_turn: int) -> AsyncIterator[T]:
    """Yield the items in order; after every `at_a_turn`, let other ready tasks run first."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % at_a_turn == 0:
            await asyncio.sleep(0)
