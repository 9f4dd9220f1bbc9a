"""Renders event values for people, and makes untrusted text safe to print on a terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

OURSELVES = frozenset({"patient_id", "clinic_id", "zone", "minutes", "protocol_version"})
"""Fields that every entry of a story has or that only programs need; not shown."""

PLAIN = frozenset(
    {
        *("reason", "outcome", "phase", "kind", "severity", "variant", "instrument", "channel", "role"),
        *("frequency", "disposition", "local_time", "skipped"),
    }
)
"""Fields whose values are shown without the field's name."""

LATENESS = "late_by_seconds"
FACTS = 5


def facts(body: Mapping[str, Any], *, at_most: int = FACTS) -> str:
    """Up to `at_most` facts from an event's body: numbers, codes and days; no ids, no false values."""
    named = sorted(body.items(), key=lambda item: item[0] == LATENESS)
    told = (_fact(name, value) for name, value in named if not _left_out(name, value, body))
    return ", ".join([fact for fact in told if fact][:at_most])


def _left_out(name: str, value: object, body: Mapping[str, Any]) -> bool:
    if name in OURSELVES or name.endswith("_id") or value is None or value is False:
        return True
    if name == LATENESS:
        return value == 0
    if name == "starts_at":
        return "local_time" in body
    return name.endswith("_at")  # the entry's own time is shown instead


def _fact(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if value is True:
        return words
    if isinstance(value, list):
        value = " and ".join(str(part) for part in value)
    if isinstance(value, str):
        value = moment(value).replace("_", " ")
    if value == "":
        return ""
    return str(value) if name in PLAIN else f"{words} {value}"


def moment(text: str) -> str:
    """An ISO 8601 instant to the minute; any other text as it is."""
    try:
        instant = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return text
    if instant is None:
        return text
    if instant.tzinfo is None:
        return f"{instant:%Y-%m-%d %H:%M}"
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def printable(text: str) -> str:
    """Escape the non-printable characters of untrusted text: they could control the terminal."""
    return "".join(part if part.isprintable() or part == "\n" else ascii(part)[1:-1] for part in text)
