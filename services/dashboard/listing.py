"""What every list shares: its question stands in the address, and a cursor says behind which row to go on."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

LARGEST = 2**53
"""Of the numbers that a row is ordered by."""


class BadQuery(ValueError):
    """An address that no link of ours made."""


@dataclass(frozen=True)
class Question:
    """Filters and order of a list; those at their default stay out of the address."""

    PATH: ClassVar[str]

    def address(self, path: str = "", **changes: str) -> str:
        """A link that asks the same, but for the changes."""
        asked = replace(self, **changes)
        given = {f.name: getattr(asked, f.name) for f in fields(asked) if getattr(asked, f.name) != f.default}
        return f"{path or self.PATH}?{urlencode(given)}" if given else path or self.PATH


def cursor(values: Sequence[Any]) -> str:
    """The place of a row in its list, by what the list is ordered by: texts, whole numbers, times as text."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def place(cursor: str) -> list[str | int]:
    """The values of a cursor: texts and numbers that a row can have. Raises `BadQuery` for what is none."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise BadQuery from None
    if not isinstance(values, list) or not all(_is_a_value(value) for value in values):
        raise BadQuery
    return values


def _is_a_value(value: Any) -> bool:
    """JSON can also say what no row holds: half a character, infinity, a number of thirty digits."""
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    return isinstance(value, int) and abs(value) <= LARGEST


def instant(value: Any) -> datetime:
    """A time of a cursor. Raises `BadQuery` for what is none, or none that can be kept."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise BadQuery from None
