"""Who gives way to whom within a process."""

import asyncio

import pytest

from shared import precedence
from shared.precedence import Precedence


class Queue:
    """Two kinds of work that note when they were done."""

    def __init__(self) -> None:
        self.first, self.done = Precedence(), list[str]()

    async def ordinary(self) -> None:
        await self.first.give_way()
        self.done.append("ordinary")

    async def page(self) -> None:
        with self.first.urgent():
            for _ in range(2):
                await asyncio.sleep(0)
            self.done.append("paged")


async def test_what_is_not_urgent_waits_until_nothing_urgent_is_under_way() -> None:
    queue = Queue()
    with queue.first.urgent():
        waiting = asyncio.create_task(queue.ordinary())
        await asyncio.sleep(0)
        queue.done.append("urgent")
    await waiting
    assert queue.done == ["urgent", "ordinary"]


async def test_what_urgent_work_leads_to_is_waited_for_as_well() -> None:
    """A page is sent by a task that the reaction to the flag began."""
    queue = Queue()
    with queue.first.urgent():
        waiting = asyncio.create_task(queue.ordinary())
        await asyncio.sleep(0)
        paging = asyncio.create_task(queue.page())
    await asyncio.gather(paging, waiting)
    assert queue.done == ["paged", "ordinary"]


async def test_urgent_work_that_is_stuck_is_urgent_no_more_and_work_that_failed_blocks_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precedence, "PATIENCE", 0.01)
    first = Precedence()
    with first.urgent():
        await first.give_way()
        monkeypatch.setattr(precedence, "PATIENCE", 3600.0)
        await first.give_way()
    with pytest.raises(LookupError), first.urgent():
        raise LookupError
    await first.give_way()
