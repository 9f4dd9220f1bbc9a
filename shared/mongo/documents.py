"""How documents are encoded, and how a store declares indexes."""

from datetime import date, time, timedelta
from enum import Enum
from typing import Any

from bson.codec_options import CodecOptions, TypeRegistry

Document = dict[str, Any]


def _encode(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case frozenset() | set():
            return sorted(value)
        case _:
            return value


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode)
)


class Index:
    """An index a store declares: fields ascending, optionally unique or partial.

    `forget_after`: documents are deleted that long after the instant in the (only) field.
    """

    def __init__(
        self,
        collection: str,
        *fields: str,
        unique: bool = False,
        partial: Document | None = None,
        forget_after: timedelta | None = None,
    ) -> None:
        self.collection, self.fields = collection, fields
        self.options: Document = {"unique": unique}
        if partial is not None:
            self.options["partialFilterExpression"] = partial
        if forget_after is not None:
            self.options["expireAfterSeconds"] = int(forget_after.total_seconds())
