"""Clock faults: an hour ahead or back, jitter, and both across daylight saving changes."""

from datetime import UTC, datetime, timedelta

from tests.chaos.faults.base import Fault, Scene

SPRING = datetime(2027, 3, 14, 7, 0, tzinfo=UTC)
"""The instant at which New York's clocks go forward."""

AUTUMN = datetime(2027, 4, 4, 3, 0, tzinfo=UTC)
"""The instant at which Santiago's clocks go back."""

HOUR, TREMBLE = timedelta(hours=1), timedelta(seconds=2)


async def _ahead_and_back(scene: Scene) -> None:
    """Timers due within the hour fire early, and do not fire again after the clock is corrected."""
    await scene.time.stray(HOUR)


async def _back(scene: Scene) -> None:
    await scene.time.stray(-HOUR)


async def _tremble(scene: Scene) -> None:
    for _ in range(3):
        await scene.time.stray(TREMBLE)
        await scene.time.stray(-TREMBLE)


async def _all_of_it(scene: Scene) -> None:
    await _tremble(scene)
    await scene.time.stray(-HOUR)
    await scene.time.stray(HOUR)


ALL = [
    Fault("clock ahead by an hour", _ahead_and_back, moment="morning"),
    Fault("clock back by an hour", _back, moment="morning"),
    Fault("clock trembles", _tremble, moment="morning"),
    Fault("clock_autumn", _all_of_it, moment="morning", instant=AUTUMN),
    Fault("clock_spring", _all_of_it, moment="morning", instant=SPRING),
]
