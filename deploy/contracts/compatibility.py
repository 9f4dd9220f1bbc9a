"""Finds changes of an event's schema that break its readers."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def breaks(path: str, before: str, after: str) -> list[str]:
    """One sentence per change that breaks a reader of the old schema; none if `path` is not a schema.

    A producer may add fields. Removing one, changing its type, opening a closed list or adding a value to it,
    at any depth, needs a new `schema_version` (which is a separate file).
    """
    if "/schemas/" not in path:
        return []
    return list(dict.fromkeys(_in_object("", _resolved(json.loads(before)), _resolved(json.loads(after)))))


def _resolved(document: Schema) -> Schema:
    """The schema with every `$ref` replaced by its definition from `$defs`."""

    def put_in(part: Any) -> Any:
        if isinstance(part, list):
            return [put_in(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return put_in(document["$defs"][part["$ref"].removeprefix("#/$defs/")])
        return {name: put_in(inner) for name, inner in part.items() if name != "$defs"}

    resolved: Schema = put_in(document)
    return resolved


def _in_object(name: str, old: Schema, new: Schema) -> Iterator[str]:
    """`name` is the name of the field that holds the object; empty for the event itself."""
    now = new.get("properties", {})
    for field, described in old.get("properties", {}).items():
        inner = f"{name}.{field}" if name else field
        if field not in now:
            yield f"{inner} was removed"
        else:
            yield from _in_field(inner, described, now[field])


def _in_field(name: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = _by_type(old), _by_type(new)
    if {kind: len(parts) for kind, parts in before.items()} != {k: len(parts) for k, parts in after.items()}:
        yield f"{name} changed its type"
        return
    for kind, parts in before.items():
        for was, now in zip(parts, after[kind], strict=True):
            yield from _in_values(name, _values(was), _values(now))
            yield from _in_object(name, was, now)
            for inner in ("items", "additionalProperties"):
                if isinstance(was.get(inner), dict):
                    yield from _in_field(f"each of {name}", was[inner], now.get(inner) or {})
            fixed = zip(was.get("prefixItems", []), now.get("prefixItems", []), strict=False)
            for place, (one, other) in enumerate(fixed, start=1):
                yield from _in_field(f"{name} at {place}", one, other)


def _in_values(name: str, old: set[str] | None, new: set[str] | None) -> Iterator[str]:
    if old is not None and new is None:
        yield f"{name} is no closed list any more"
    elif old is not None and new is not None and new - old:
        yield f"{name} may now be {', '.join(sorted(new - old))}"


def _by_type(described: Schema) -> dict[str, list[Schema]]:
    """A field's alternatives by type and format, `null` included."""
    found = defaultdict(list)
    for part in described.get("anyOf", [described]):
        found[f"{part.get('type')}:{part.get('format', '')}"].append(part)
    return found


def _values(described: Schema) -> set[str] | None:
    """The closed list of allowed values; None if any value is allowed."""
    if "const" in described:
        return {str(described["const"])}
    return {str(value) for value in described["enum"]} if "enum" in described else None
