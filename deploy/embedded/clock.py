"""The stepped clock of a data folder: created when a stack starts, moved by its driver (demo, tests, CLI)."""

from datetime import UTC, datetime
from pathlib import Path

from shared.clock import SteppedClock, step

FILE = "clock"


class ClockBackwards(Exception):
    """Time in a data folder must not go back: what is recorded there would lie in the future."""

    def __init__(self, stands: datetime, asked: datetime) -> None:
        super().__init__(
            f"time in this folder stands at {stands.isoformat()} and cannot go back to {asked.isoformat()}; "
            "choose a later --start, or begin anew with `kith reset`"
        )


def stands_at(data: Path) -> datetime | None:
    """The time of the stepped clock of `data`; None if time was never stepped there."""
    path = data / FILE
    return SteppedClock(path).now() if path.exists() else None


def stepped_clock(data: Path, start: datetime | None) -> Path:
    """Set the clock file of `data` to `start`, else its last time, else now. Raises `ClockBackwards`."""
    stands = stands_at(data)
    if stands is not None and start is not None and start < stands:
        raise ClockBackwards(stands, start)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    step(data / FILE, start or stands or datetime.now(UTC))
    return data / FILE
