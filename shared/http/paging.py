"""Keyset paging: each page names the key after which the next one starts, so that pages never shift."""

import base64
import binascii
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from shared.http.problems import Problem

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """`next` is the cursor of the following page, null on the last."""

    items: list[T]
    next: str | None = None


def _plain_digits(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise PydanticCustomError("int_parsing", "must be a whole number")
    return value


PageLimit = Annotated[
    int, Field(ge=1, le=200), BeforeValidator(_plain_digits), Query(description="At most so many items")
]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9_-]+$", max_length=400, description="`next` of the page before, as answered"),
]


def encode_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """Return the key after which the page starts. Raises `Problem` 422 for a malformed cursor."""
    if cursor is None:
        return None
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        key = ""
    if not key or encode_cursor(key) != cursor:
        raise unknown_cursor()
    return key


def unknown_cursor() -> Problem:
    return Problem(422, "cursor_unknown", "cursor must be the `next` of a page, unchanged.")
