"""Reports invalid requests: which field, what is wrong, what is allowed, and no request content."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.http.problems import Problem

MAX_ERRORS = 20
OURS = (
    "ge",
    "gt",
    "le",
    "lt",
    "multiple_of",
    "min_length",
    "max_length",
    "pattern",
    "expected",
    "max_digits",
    "decimal_places",
    "discriminator",
    "expected_tags",
)
"""Facts of an error's context that come from the model and not from the request."""

SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "holds a field that is not known here",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "date_form": "must be a day like 2026-03-02",
    "datetime_form": "must be an instant like 2026-03-02T15:00:00Z",
    "datetime_without_offset": "must say its offset from UTC, like 2026-03-02T15:00:00Z",
    "datetime_out_of_range": "must lie between 1900 and 2200",
    "time_form": "must be a time of day like 10:00",
    "timedelta_form": "must be a duration like PT50M",
    "value_error": "is not acceptable",
    "assertion_error": "is not acceptable",
}


def problem(errors: Sequence[Mapping[str, Any]], names: frozenset[str]) -> Problem:
    """Build a 422 from pydantic's `errors`; a part of a location that is not in `names` is shown as `*`.

    A malformed id in the path gives a 404: nothing can exist there.
    """
    if any(error["loc"][:1] == ("path",) for error in errors):
        return Problem(404, "not_found", "There is nothing at this address.")
    fields = [_field(error, names) for error in errors[:MAX_ERRORS]]
    sentences = dict.fromkeys(_sentence(field) for field in fields)
    return Problem(422, "invalid", " ".join(sentences), errors=fields)


def _field(error: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    location, kind = list(error["loc"]), str(error["type"])
    if kind == "extra_forbidden":
        location.pop()
    return {
        "field": ".".join(_shown(location, names)) or "body",
        "problem": kind,
        "allowed": {name: value for name, value in error.get("ctx", {}).items() if name in OURS},
    }


def _shown(location: Iterable[Any], names: frozenset[str]) -> list[str]:
    return [str(part) if isinstance(part, int) or part in names else "*" for part in location]


def _sentence(field: dict[str, Any]) -> str:
    sentence = SENTENCES.get(field["problem"])
    if sentence is None:
        sentence = "is not acceptable: " + field["problem"].replace("_", " ")
    return f"{field['field']} {sentence.format_map(_Known(field['allowed']))}."


class _Known(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "what its description says"


def names_in(document: Any) -> frozenset[str]:
    """Collect every field, parameter and schema name that an OpenAPI document declares."""
    found = {"body", "query", "header", "path"}
    rest = [document]
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest.extend(node)
        elif isinstance(node, dict):
            rest.extend(node.values())
            for holder in ("properties", "schemas"):
                if isinstance(node.get(holder), dict):
                    found.update(node[holder])
            if "in" in node and isinstance(node.get("name"), str):
                found.add(node["name"])
    return frozenset(found)
