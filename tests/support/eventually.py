"""Waiting for a condition, with a deadline and a reason if it is not met."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    predicate: Callable[..., Coroutine[Any, Any, T]],
    *,
    within: float = ...,
    pause: float = ...,
    that: str = ...,
) -> T: ...
@overload
async def eventually(
    predicate: Callable[..., T], *, within: float = ..., pause: float = ..., that: str = ...
) -> T: ...
async def eventually(
    predicate: Callable[..., Any], *, within: float = 10.0, pause: float = 0.02, that: str = ""
) -> Any:
    """Call `predicate` (plain or async) until it returns something true, and return that.

    An `AssertionError` it raises counts as "not yet"; any other error passes through. Raises
    `AssertionError` after `within` seconds, naming `that` (or the predicate) and the last answer.
    """
    deadline = time.monotonic() + within
    while True:
        answer: object
        try:
            asked = predicate()
            answer = await asked if inspect.isawaitable(asked) else asked
            if answer:
                return answer
        except AssertionError as not_yet:
            answer = not_yet
        if time.monotonic() > deadline:
            what = that or getattr(predicate, "__name__", "it")
            raise AssertionError(f"not within {within:g} s: {what} (last: {answer!r})")
        await asyncio.sleep(pause)
