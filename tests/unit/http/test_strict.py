"""Request models are as strict as JSON allows, both as FastAPI hands them over and as raw bytes."""

import json
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError

from shared.http.models import AwareDatetime, OpaqueId, Strict, parse


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    ONE = 1


class Part(Strict):
    kind: Literal["part"] = "part"
    count: int


class Whole(Strict):
    kind: Literal["whole"] = "whole"
    id: OpaqueId = "w"
    colour: Colour = Colour.RED
    level: Level = Level.ONE
    answer: Literal[0, 1, 2, 3] = 0
    yes: bool = False
    weight: float = 0.0
    day: date | None = None
    at: AwareDatetime | None = None
    hour: time | None = None
    length: timedelta | None = None
    uuid: UUID | None = None
    parts: list[Part] = Field(default=[])
    pair: tuple[int, int] = (0, 0)
    words: frozenset[str] = frozenset()
    by_name: dict[str, int] = Field(default={})
    either: int | str = 0


GOOD: list[tuple[str, Any, Any]] = [
    ("colour", "red", Colour.RED),
    ("level", 1, Level.ONE),
    ("answer", 3, 3),
    ("weight", 1, 1.0),
    ("day", "2026-03-02", date(2026, 3, 2)),
    ("at", "2026-03-02T15:00:00.123456+01:00", datetime(2026, 3, 2, 14, 0, 0, 123_000, tzinfo=UTC)),
    ("hour", "10:00", time(10)),
    ("length", "PT50M", timedelta(minutes=50)),
    ("uuid", "6f0ddc7a-54a9-4f2b-9d0f-4b1d6a1c7a10", UUID("6f0ddc7a-54a9-4f2b-9d0f-4b1d6a1c7a10")),
    ("parts", [{"count": 2}], [Part(count=2)]),
    ("pair", [1, 2], (1, 2)),
    ("words", ["a"], frozenset({"a"})),
    ("either", "5", "5"),
]
BAD: list[tuple[str, Any]] = [
    ("colour", "blue"),
    ("level", "1"),
    ("level", 1.5),
    ("answer", "1"),
    ("answer", True),
    ("answer", 1.0),
    ("yes", 1),
    ("yes", "true"),
    ("weight", "1.0"),
    ("weight", True),
    ("day", 0),
    ("day", "0"),
    ("day", "2026-03-02T00:00:00"),
    ("at", "2026-03-02T15:00:00"),
    ("at", "2026-03-02"),
    ("at", 1772460000.5),
    ("at", True),
    ("hour", 36000),
    ("hour", "36000"),
    ("length", 3000),
    ("length", "3000"),
    ("uuid", 5),
    ("parts", [{"count": "2"}]),
    ("parts", [{"count": 2.0}]),
    ("parts", {"count": 2}),
    ("pair", [1, "2"]),
    ("by_name", {"a": "1"}),
    ("by_name", {"a": 2**63}),
    ("either", 2**63),
    ("id", "a\n"),
    ("id", ""),
    ("id", "a" * 101),
    ("id", "ä"),
    ("unknown", 1),
]


@pytest.mark.parametrize(("field", "value", "meant"), GOOD)
def test_what_json_can_say_is_understood(field: str, value: Any, meant: Any) -> None:
    assert getattr(Whole.model_validate({field: value}), field) == meant
    assert getattr(parse(Whole, json.dumps({field: value}).encode()), field) == meant


@pytest.mark.parametrize(("field", "value"), BAD)
def test_what_only_looks_right_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Whole.model_validate({field: value})
    with pytest.raises(RequestValidationError):
        parse(Whole, json.dumps({field: value}).encode())


def test_a_union_of_models_is_told_apart_by_its_discriminator() -> None:
    either: TypeAdapter[Any] = TypeAdapter(Annotated[Part | Whole, Field(discriminator="kind")])
    assert either.validate_python({"kind": "part", "count": 1}) == Part(count=1)
    with pytest.raises(ValidationError):
        either.validate_python({"kind": "part", "count": "1"})


def test_the_published_schema_says_what_is_enforced() -> None:
    properties = Whole.model_json_schema()["properties"]
    count = Part.model_json_schema()["properties"]["count"]
    assert (count["minimum"], count["maximum"]) == (-(2**63), 2**63 - 1)
    assert properties["day"]["anyOf"][0] == {"format": "date", "type": "string"}
    assert properties["at"]["anyOf"][0] == {"format": "date-time", "type": "string"}
    assert Whole.model_json_schema()["additionalProperties"] is False


def test_a_model_can_be_made_from_what_it_holds() -> None:
    assert Whole(day=date(2026, 3, 2), parts=[Part(count=1)]).parts[0].count == 1
