"""Strict JSON (RFC 8259): refuses what Python's parser accepts beyond it."""

import json
import math
import re
from typing import Any, NoReturn

from shared.http.problems import Problem

MAX_DEPTH = 64
INT64 = range(-(2**63), 2**63)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def load(body: bytes) -> Any:
    """Parse a body strictly.

    Raises `Problem` 400 (`json_malformed`, `json_duplicate_key`, `json_not_a_number`, `json_too_deep`) or
    422 (`number_out_of_range`, `text_unstorable`). Problems name positions, never content.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "json_malformed", f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Problem(400, "json_malformed", f"The body is not JSON (character {error.pos}).") from None
    except RecursionError:
        raise _too_deep() from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in text:
        _check_text(value)
    return value


def _too_deep() -> Problem:
    return Problem(400, "json_too_deep", f"Arrays and objects nest at most {MAX_DEPTH} deep.")


def _check_depth(value: Any) -> None:
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in _containers(whole)]
        if not level:
            return
    raise _too_deep()


def _containers(whole: list[Any] | dict[str, Any]) -> list[Any]:
    parts = whole.values() if isinstance(whole, dict) else whole
    return [part for part in parts if isinstance(part, list | dict)]


def _check_text(value: Any) -> None:
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            if UNSTORABLE.search(part):
                raise Problem(422, "text_unstorable", "Text holds no NUL and no lone surrogate.")
        elif isinstance(part, dict):
            rest.extend(part)
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "json_duplicate_key", "An object has the same key twice.")
    return found


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= 20 else None
    if value is None or value not in INT64:
        raise Problem(422, "number_out_of_range", "Whole numbers lie within 64 bits.")
    return value


def _real(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        _constant(digits)
    return value


def _constant(_: str) -> NoReturn:
    raise Problem(400, "json_not_a_number", "NaN, Infinity and numbers beyond 1.8e308 are not JSON.")


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
