"""Warnings and errors out of the services' JSON logs, as they are written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOUD = {"warning", "error", "critical"}
PER_LOOK = 10
"""Lines of one service shown at a look; how many more there were is said."""

STANDARD = {"event", "level", "at", "service", "instance", "logger", "exception"}


@dataclass(frozen=True)
class LogLine:
    """`level` is one of the standard names; `text` is one line without the log's own frame."""

    service: str
    level: str
    text: str


@dataclass
class LogTail:
    """Reads one service's log from where it was last read."""

    service: str
    path: Path
    _position: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def skip(self) -> None:
        """Leave out what was written so far."""
        self._position, self._rest = (self.path.stat().st_size if self.path.exists() else 0), b""

    def look(self) -> Iterator[LogLine]:
        """What is worth showing since the last look, at most `PER_LOOK` lines and a word about the rest."""
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
    """A line of a log as something to show; None for the quiet ones.

    What is not JSON was not written by our logging (an interpreter's last words): it is shown.
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
    """Set the logs of the run before aside as `<name>.log.1`."""
    for log in folder.glob("*.log"):
        log.replace(log.with_name(f"{log.name}.1"))
