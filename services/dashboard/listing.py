"""Shared by all lists: the query is held in the address, and a cursor names the row to continue after."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

LARGEST = 2**53
"""Largest absolute value of a number in a cursor."""


class BadQuery(ValueError):
    """An address that none of the dashboard's links produces."""


@dataclass(frozen=True)
class Question:
    """Filters and order of a list; values at their default are left out of the address."""

    PATH: ClassVar[str]

    def address(self, path: str = "", **changes: str) -> str:
        """A link with the same query, except for the changes."""
        asked = replace(self, **changes)
        given = {f.name: getattr(asked, f.name) for f in fields(asked) if getattr(asked, f.name) != f.default}
        return f"{path or self.PATH}?{urlencode(given)}" if given else path or self.PATH


def cursor(values: Sequence[Any]) -> str:
    """Encode a row's position as the values the list is ordered by: texts, integers, times as text."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def place(cursor: str) -> list[str | int]:
    """Decode a cursor into texts and numbers that a row can have. Raises `BadQuery` if it is not one."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise BadQuery from None
    if not isinstance(values, list) or not all(_is_a_value(value) for value in values):
        raise BadQuery
    return values


def _is_a_value(value: Any) -> bool:
    """Reject JSON values that no row holds: a lone surrogate, infinity, a number of thirty digits."""
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    return isinstance(value, int) and abs(value) <= LARGEST


def instant(value: Any) -> datetime:
    """Parse a time of a cursor. Raises `BadQuery` if it is not one, or is out of range."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise BadQuery from None
