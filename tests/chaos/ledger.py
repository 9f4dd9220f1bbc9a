"""Requests and their outcomes, each recorded before the next step.

One JSON object a line. `asked` is written before the request is sent, then `acknowledged`, `refused` or
`unknown` (no answer, or an inconclusive one). Unknown requests are retried with the same key.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import time
from typing import Any, Literal, Self

Outcome = Literal["asked", "acknowledged", "refused", "unknown"]

KEPT = ("id", "patient_id", "state", "phase", "attended", "plan_id", "alert_id")
"""Fields of an answer that are recorded: ids and codes."""

KEPT_OF_REQUEST = ("appointment_id", "outcome", "decision", "disposition")


@dataclass(frozen=True)
class Entry:
    """`at` is the wall-clock time in seconds, `clock` the stepped time of the request."""

    outcome: Outcome
    key: str
    service: str
    method: str
    path: str
    window: int
    clock: str
    at: float
    status: int = 0
    reason: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The last word of the path, or `refer`."""
        return "refer" if self.path == "/referrals" else self.path.rpartition("/")[2]

    @property
    def subject(self) -> str:
        """The id in the path, else the one in the answer."""
        parts = self.path.strip("/").split("/")
        return parts[1] if len(parts) > 1 else str(self.answer.get("id", ""))


class Ledger:
    """Append-only; every line is in the file before `write` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self.entries: list[Entry] = []

    def write(self, entry: Entry) -> None:
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()
        self.entries.append(entry)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def said(body: Any, names: Iterable[str]) -> dict[str, Any]:
    """The codes and ids of a body."""
    if not isinstance(body, dict):
        return {}
    return {name: body[name] for name in names if isinstance(body.get(name), str | int)}


def now() -> float:
    return time()


@dataclass(frozen=True)
class Known:
    """The final outcome of every request, by key."""

    acknowledged: dict[str, Entry]
    refused: dict[str, Entry]
    unknown: dict[str, Entry]


def last_words(entries: Iterable[Entry]) -> Known:
    """Determine the outcomes: one answer outweighs any number of unanswered attempts."""
    acknowledged: dict[str, Entry] = {}
    refused: dict[str, Entry] = {}
    asked: dict[str, Entry] = {}
    for entry in entries:
        match entry.outcome:
            case "acknowledged":
                acknowledged.setdefault(entry.key, entry)
            case "refused":
                refused.setdefault(entry.key, entry)
            case _:
                asked.setdefault(entry.key, entry)
    unknown = {k: e for k, e in asked.items() if k not in acknowledged and k not in refused}
    return Known(acknowledged, refused, unknown)
