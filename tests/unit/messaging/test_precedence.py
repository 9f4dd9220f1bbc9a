"""Who gives way to whom within a process."""

import asyncio

import pytest

from shared import precedence
from shared.precedence import Precedence


async def test_what_is_not_urgent_waits_until_nothing_urgent_is_under_way() -> None:
    first, order = Precedence(), list[str]()

    async def ordinary() -> None:
        await first.give_way()
        order.append("ordinary")

    with first.urgent():
        waiting = asyncio.create_task(ordinary())
        await asyncio.sleep(0)
        order.append("urgent")
    await waiting
    assert order == ["urgent", "ordinary"]


async def test_what_urgent_work_leads_to_is_waited_for_as_well() -> None:
    """A page is sent by a task that the reaction to the flag began."""
    first, order = Precedence(), list[str]()

    async def page() -> None:
        with first.urgent():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            order.append("paged")

    async def ordinary() -> None:
        await first.give_way()
        order.append("ordinary")

    with first.urgent():
        waiting = asyncio.create_task(ordinary())
        await asyncio.sleep(0)
        paging = asyncio.create_task(page())
    await asyncio.gather(paging, waiting)
    assert order == ["paged", "ordinary"]


async def test_urgent_work_that_is_stuck_or_fails_blocks_nobody_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precedence, "PATIENCE", 0.01)
    first = Precedence()
    with first.urgent(), first.urgent():
        await first.give_way()
    with pytest.raises(LookupError), first.urgent():
        raise LookupError
    monkeypatch.setattr(precedence, "PATIENCE", 3600.0)
    await first.give_way()
