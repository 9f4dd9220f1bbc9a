"""Reads signs of danger from refused forms leniently, the same in every service that takes answers.

Nothing is validated or stored here. The caller decides what follows.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, Literal

Item9 = Literal["negative", "positive", "unassessable"]

MAX_DEPTH = 12
PHQ9_ITEMS = 9
NOT_ANSWERED = (None, "refused", "dont_know")

SUICIDALITY = "suicid"
"""Part of a condition in a person's history: "acutely_suicidal", "Acutely suicidal", "suicidality"."""

# Possessive quantifiers, because a malformed body may be 256 KiB of spaces.
_CRISIS = re.compile(rb'"crisis"\s*+:\s*+(?!false|"no")')
_ITEM9 = re.compile(rb'"item_?9"\s*+:\s*+"?[1-9]')
_CSSRS = re.compile(rb'"q[1-6](?:_recent)?"\s*+:\s*+(?!false|null|"no")')
_PHQ9 = re.compile(rb'"phq9"\s*+:\s*+(?!null)([^\]]*)')
_CONDITIONS = re.compile(
    rb'"conditions"\s*+:[^\]}]{0,500}?suicid[a-z]*+"?+\s*+(?!:\s*+(?:false|null|"no"))', re.IGNORECASE
)
_PLAINLY_NOT = (b"0", b"null", b'"refused"', b'"dont_know"')


class Members(list[tuple[str, Any]]):
    """A JSON object that keeps repeated names."""


def parsed(raw: bytes) -> object:
    """Parse a body as JSON with objects as `Members`, decoded as Latin-1 if it is not UTF-8.

    Raises `ValueError`, and `RecursionError` if it is nested too deep.
    """
    try:
        return json.loads(raw, object_pairs_hook=Members)
    except UnicodeDecodeError:
        return json.loads(raw.decode("latin-1"), object_pairs_hook=Members)


def fields(value: object, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every name and value of a document, including nested objects down to `MAX_DEPTH`."""
    if depth > MAX_DEPTH:
        return
    for name, inner in pairs(value):
        yield name, inner
        yield from fields(inner, depth + 1)
    if isinstance(value, list) and not isinstance(value, Members):
        for inner in value:
            yield from fields(inner, depth + 1)


def is_object(value: object) -> bool:
    return isinstance(value, Members | dict)


def pairs(value: object) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, Members):
        return list(value)
    return []


def answers(value: object, names: Collection[str]) -> dict[str, Any]:
    """Return the answers with these names. If one is given twice, a yes is kept."""
    found: dict[str, Any] = {}
    for name, answer in pairs(value):
        if name in names and found.get(name) not in (True, "yes"):
            found[name] = answer
    return found


def item9_of(phq9: object) -> Item9:
    """Assess item 9: above 0 is positive, however it is written.

    Unassessable: fewer than nine items, a negative number, or text that is no number. Negative: 0, an answer
    that is null, refused or not known, and null or an empty object in place of the items.
    """
    given = [phq9]
    if is_object(phq9):
        given = [inner for name, inner in pairs(phq9) if name == "items"]
        if not any(items is not None for items in given):
            given = [inner for _, inner in pairs(phq9)]
    found = {_item9_in(items) for items in given if items is not None}
    return "positive" if "positive" in found else "unassessable" if found - {"negative"} else "negative"


def _item9_in(items: object) -> Item9:
    if not isinstance(items, list) or isinstance(items, Members) or len(items) < PHQ9_ITEMS:
        return "unassessable"
    answer = items[PHQ9_ITEMS - 1]
    if answer in NOT_ANSWERED:
        return "negative"
    try:
        points = float(answer)
    except (TypeError, ValueError, OverflowError):
        return "unassessable"
    return "negative" if points == 0 else "positive" if points > 0 else "unassessable"


def may_speak_of_danger(raw: bytes) -> bool:
    """Whether a body that is not JSON contains a sign of danger that is not plainly denied."""
    signs = (_CRISIS, _ITEM9, _CSSRS, _CONDITIONS)
    return any(sign.search(raw) for sign in signs) or any(map(_item9_is_open, _PHQ9.finditer(raw)))


def _item9_is_open(phq9: re.Match[bytes]) -> bool:
    items = phq9[1].rpartition(b"[")[2].split(b",")
    return len(items) < PHQ9_ITEMS or items[PHQ9_ITEMS - 1].strip() not in _PLAINLY_NOT
