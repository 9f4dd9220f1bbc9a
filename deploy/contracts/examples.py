"""Named examples of an event, generated from its fields so that they never fall behind the code."""

import types
from datetime import UTC, date, datetime
from typing import Any, Literal, Union, get_args, get_origin

from shared.messaging.event import Event

MOMENT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def examples(event: type[Event]) -> dict[str, Any]:
    """`typical` has every field filled, `sparse` omits optional values."""
    made = {}
    for name, full in (("typical", True), ("sparse", False)):
        fields = {field: _value(field, info.annotation, full) for field, info in event.model_fields.items()}
        made[name] = event(**fields).model_dump(mode="json")
    return made


def _value(name: str, annotation: Any, full: bool) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _value(name, arguments[0], full) if full else None
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return (_value(name, arguments[0], full),) if full else ()
    made: dict[Any, Any] = {str: f"{name}-1", int: 1, bool: True, datetime: MOMENT, date: MOMENT.date()}
    return made[annotation]
