"""What becomes of a process of which a part ended."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.clock import SystemClock
from shared.errors import SettingRefused
from shared.process import Process
from shared.service import Service
from shared.settings import Settings


def process() -> Process:
    service: Any = SimpleNamespace(
        name="intake",
        settings=Settings(environment="development", jwks="unused"),
        database=None,
        clock=SystemClock(),
        subscriptions=[],
        open_work=None,
        follow=None,
    )
    return Process(cast(Service, service))


async def ended(error: BaseException | None) -> tuple[Process, bool]:
    """A process one of whose tasks ended so, and whether it gave up."""
    running, told = process(), asyncio.Event()
    running.give_up = told.set

    async def work() -> None:
        if error is not None:
            raise error

    running._start("work", work())
    await asyncio.gather(*running._tasks, return_exceptions=True)
    await asyncio.sleep(0)
    return running, told.is_set()


async def test_a_task_that_ends_with_an_error_ends_the_process_which_failed() -> None:
    running, gave_up = await ended(ZeroDivisionError())
    assert (gave_up, running.failed, running.refused) == (True, True, None)


async def test_a_task_that_is_refused_ends_the_process_which_did_not_fail() -> None:
    refused = SettingRefused("mongodb", why="MongoDB refuses its user or password")
    running, gave_up = await ended(refused)
    assert (gave_up, running.failed, running.refused) == (True, False, refused)


@pytest.mark.parametrize("error", [None, asyncio.CancelledError()])
async def test_a_task_that_ends_by_itself_or_is_told_to_ends_nothing(error: BaseException | None) -> None:
    running, gave_up = await ended(error)
    assert (gave_up, running.failed) == (False, False)
