"""Checks that objects are freed as soon as they are unused, without the cyclic garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.eventually import eventually


@contextmanager
def no_collector() -> Iterator[None]:
    """Collect existing garbage, then disable the collector, so that reference cycles created inside stay."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def all_gone(kind: type) -> None:
    """Wait until no object of exactly this class is left. Raises `AssertionError`."""
    await eventually(lambda: _alive(kind) == 0, within=5, pause=0.1, that=f"no {kind.__name__} is left")


def _alive(kind: type) -> int:
    return sum(type(thing) is kind for thing in gc.get_objects())
