"""Follows the services' JSON logs and extracts warnings and errors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOUD = {"warning", "error", "critical"}
PER_LOOK = 10
"""Most lines of one service shown per look; the rest are only counted."""

STANDARD = {"event", "level", "at", "service", "instance", "logger", "exception"}


@dataclass(frozen=True)
class LogLine:
    """`level` is a standard level name; `text` is the entry without its standard fields."""

    service: str
    level: str
    text: str


@dataclass
class LogTail:
    """Reads one service's log from the last position on."""

    service: str
    path: Path
    _position: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def skip(self) -> None:
        """Skip what was written so far."""
        self._position, self._rest = (self.path.stat().st_size if self.path.exists() else 0), b""

    def look(self) -> Iterator[LogLine]:
        """New lines worth showing, at most `PER_LOOK`, and then one line with the number of the rest."""
        loud = [line for raw in self._new_lines() if (line := understood(self.service, raw)) is not None]
        yield from loud[:PER_LOOK]
        if len(loud) > PER_LOOK:
            yield LogLine(self.service, "warning", f"… and {len(loud) - PER_LOOK} more in {self.path}")

    def _new_lines(self) -> list[bytes]:
        try:
            with self.path.open("rb") as log:
                log.seek(self._position)
                new = log.read()
                self._position = log.tell()
        except FileNotFoundError:
            return []
        *lines, self._rest = (self._rest + new).split(b"\n")
        return lines


def understood(service: str, raw: bytes) -> LogLine | None:
    """Parse a log line; None if it is below warning level.

    A line that is not JSON did not come from the service's logging (a traceback, for example): it is shown.
    """
    text = raw.decode(errors="replace").rstrip()
    try:
        entry = json.loads(text)
    except ValueError:
        return LogLine(service, "error", text) if text else None
    if not isinstance(entry, dict) or entry.get("level") not in LOUD:
        return None
    details = " ".join(f"{name}={value}" for name, value in entry.items() if name not in STANDARD)
    return LogLine(service, entry["level"], f"{entry.get('event', '')} {details}".strip())


def keep_one_generation(folder: Path) -> None:
    """Rename the previous run's logs to `<name>.log.1`."""
    for log in folder.glob("*.log"):
        log.replace(log.with_name(f"{log.name}.1"))
