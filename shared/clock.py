"""Clocks to pass in, so that domain code never reads the wall clock itself.

`SystemClock` is the real one. `SteppedClock` reads an instant from a file that every process of a
development stack shares, so that writing the file moves time for all of them at once.
"""

import os
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant: UTC, aware, whole milliseconds (what MongoDB keeps)."""
        ...


def whole_milliseconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class SystemClock:
    def now(self) -> datetime:
        return whole_milliseconds(datetime.now(UTC))


class FixedClock:
    """A clock for unit tests that moves only when set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class SteppedClock:
    """Reads the instant from an eight-byte file: milliseconds since 1970, big-endian.

    Development and tests only; settings refuse it in production.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)

    def now(self) -> datetime:
        (milliseconds,) = struct.unpack(">q", os.pread(self._file, 8, 0))
        return datetime.fromtimestamp(milliseconds / 1000, UTC)


def clock(file: Path | None) -> Clock:
    """Return the system clock, or the stepped one if a file is given."""
    return SystemClock() if file is None else SteppedClock(file)


def step(path: Path, to: datetime) -> None:
    """Move the stepped clock of every process that reads `path`."""
    value = struct.pack(">q", round(to.timestamp() * 1000))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, value, 0)
    finally:
        os.close(handle)
