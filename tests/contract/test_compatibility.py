"""Which changes of a schema are incompatible, on classes as an owner would write them."""

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from deploy.contracts.compatibility import breaks

SCHEMA = "shared/contracts/schemas/care-plan.plans.MoodRecorded.v1.json"


class Place(BaseModel):
    room: str


class Moved(BaseModel):
    room: int


class Emptied(BaseModel):
    floor: int = 0


class Furnished(Place):
    chairs: int = 2


def problems(before: Any, after: Any) -> list[str]:
    """What is found when the field `mood` goes from one type to the other."""
    old, new = (
        json.dumps(create_model("MoodRecorded", mood=(kind, ...)).model_json_schema())
        for kind in (before, after)
    )
    return breaks(SCHEMA, old, new)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (str, int, "mood changed its type"),
        (str, str | None, "mood changed its type"),
        (Literal["low"], Literal["low", "high"], "mood may now be high"),
        (Literal["low", "high"], str, "mood is no closed list any more"),
        (tuple[str, ...], tuple[int, ...], "each of mood changed its type"),
        (tuple[Literal["low"], ...], tuple[str, ...], "each of mood is no closed list any more"),
        (
            tuple[Literal["low"], ...] | None,
            tuple[Literal["low", "high"], ...] | None,
            "each of mood may now be high",
        ),
        (Literal["low"] | None, Literal["low", "high"] | None, "mood may now be high"),
        (dict[str, str], dict[str, int], "each of mood changed its type"),
        (tuple[str, int], tuple[str, str], "mood at 2 changed its type"),
        (Place, Moved, "mood.room changed its type"),
        (Place, Emptied, "mood.room was removed"),
        (tuple[Place, ...] | None, tuple[Moved, ...] | None, "each of mood.room changed its type"),
    ],
)
def test_another_type_or_more_values_are_incompatible_at_whatever_depth(
    before: Any, after: Any, problem: str
) -> None:
    assert problems(before, after) == [problem]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (str, str),
        (Literal["low", "high"], Literal["low"]),
        (tuple[Literal["low", "high"], ...] | None, tuple[Literal["low"], ...] | None),
        (Place, Furnished),
    ],
)
def test_a_shorter_list_and_more_fields_are_compatible(before: Any, after: Any) -> None:
    assert problems(before, after) == []


def test_a_field_that_is_removed_is_named_and_one_that_is_added_is_not() -> None:
    less = json.dumps(create_model("MoodRecorded").model_json_schema())
    more = json.dumps(create_model("MoodRecorded", mood=(str, ...)).model_json_schema())
    assert breaks(SCHEMA, more, less) == ["mood was removed"]
    assert breaks(SCHEMA, less, more) == []
    assert breaks("docs/events.md", "mood", "") == []
