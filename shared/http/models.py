"""The base class of request models, and the field types they share."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError

from shared.clock import whole_milliseconds

M = TypeVar("M", bound=BaseModel)

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

WRITTEN = {
    "date": (re.compile(r"\d{4}-\d\d-\d\d"), "must be a day like 2026-03-02"),
    "datetime": (re.compile(r"\d{4}-\d\d-\d\d[Tt ].+"), "must be an instant like 2026-03-02T15:00:00Z"),
    "time": (re.compile(r"\d\d:\d\d.*"), "must be a time of day like 10:00"),
    "timedelta": (re.compile(r"-?P.+"), "must be a duration like PT50M"),
}
"""String formats of types that JSON lacks; a bare number is never accepted for them."""

FROM_JSON = frozenset({"enum", "uuid", "decimal", "tuple", "set", "frozenset", "url"})
"""Types that strict mode refuses from parsed JSON although JSON has only one form for them."""

NOT_SCHEMAS = frozenset({"metadata", "serialization", "default", "expected", "config", "members"})


def _written(kind: str, value: Any) -> Any:
    pattern, form = WRITTEN[kind]
    if isinstance(value, str | int | float) and not (isinstance(value, str) and pattern.fullmatch(value)):
        raise PydanticCustomError(f"{kind}_form", form)
    return value


def _of_the_same_kind(choices: list[Any], value: Any) -> Any:
    """Compare types as well: in Python true and 1.0 equal 1, in JSON they do not."""
    plain = [choice.value if isinstance(choice, Enum) else choice for choice in choices]
    if isinstance(value, Enum) or any(type(value) is type(choice) and value == choice for choice in plain):
        return value
    raise PydanticKnownError("literal_error", {"expected": ", ".join(map(str, plain))})


class _Check:
    """A check placed before a schema; a class of its own, so that it is recognised and placed once."""

    def __init__(self, check: Callable[[Any, Any], Any], of: Any) -> None:
        self._check, self._of = check, of

    def __call__(self, value: Any) -> Any:
        return self._check(self._of, value)

    def before(self, schema: Any) -> Any:
        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": self},
            "schema": schema,
        }


def _as_from_json(node: Any, resolve: Callable[[CoreSchema], CoreSchema]) -> Any:
    """Adapt a core schema: accept dates and codes as strings, limit integers to 64 bits."""
    if isinstance(node, list | tuple):
        return type(node)(_as_from_json(part, resolve) for part in node)
    if not isinstance(node, dict) or _is_checked(node):
        return node
    if node.get("type") == "definition-ref":
        return _relaxed(resolve(node), node)
    for name, part in node.items():
        if name not in NOT_SCHEMAS:
            node[name] = _as_from_json(part, resolve)
    return _relaxed(node, node)


def _is_checked(node: dict[str, Any]) -> bool:
    return node.get("type") == "function-before" and isinstance(node["function"]["function"], _Check)


def _relaxed(node: Any, stands_for: Any) -> Any:
    """Change one node. Returns the replacement for `stands_for`. Nested models adapt themselves."""
    kind = node["type"] if isinstance(node.get("type"), str) else ""
    if kind in FROM_JSON or kind in WRITTEN:
        node["strict"] = False
    if kind == "int":
        if "gt" not in node:
            node.setdefault("ge", INT64_MIN)
        if "lt" not in node:
            node.setdefault("le", INT64_MAX)
    if kind in WRITTEN:
        return _Check(_written, kind).before(stands_for)
    choices = node.get({"enum": "members", "literal": "expected"}.get(kind, ""), [])
    if any(isinstance(choice, int) for choice in choices):
        return _Check(_of_the_same_kind, choices).before(stands_for)
    return stands_for


class Strict(BaseModel):
    """Base of request bodies. Refuses unknown fields, and "5", 5.0 and true as integers.

    Dates and codes may still be JSON strings. FastAPI validates parsed Python objects, for which pydantic's
    strict mode would refuse those strings, so these types alone are accepted in their JSON form.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _as_from_json(handler.resolve_ref_schema(schema), handler.resolve_ref_schema)
        return schema


def parse(model: type[M], body: bytes) -> M:
    """Validate a JSON body outside FastAPI. Raises `RequestValidationError`, which becomes the usual 422."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_url=False)]
        ) from None


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("datetime_without_offset", "needs an offset from UTC")
    if not EARLIEST < value.replace(tzinfo=UTC) < LATEST:
        raise PydanticCustomError("datetime_out_of_range", "must be between 1900 and 2200")
    return whole_milliseconds(value.astimezone(UTC))


AwareDatetime = Annotated[datetime, BeforeValidator(partial(_written, "datetime")), AfterValidator(_instant)]
"""An instant with an offset, converted to UTC and whole milliseconds; refused (422) without an offset."""

OpaqueId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-:.]{1,100}$")]
"""An id in a path or a body; it carries no meaning."""
