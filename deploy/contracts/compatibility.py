"""Which changes of an event's schema its readers would not survive."""

import json
from typing import Any


def breaks(path: str, before: str, after: str) -> list[str]:
    """Sentences about what a reader of the old schema would miss; none for documents that are no schema.

    A producer may add fields. Removing one, changing its type, or giving a closed list another value
    needs a new `schema_version` (which is a file of its own).
    """
    if "/schemas/" not in path:
        return []
    old, new = json.loads(before), json.loads(after)
    found = []
    for name, described in old["properties"].items():
        if name not in new["properties"]:
            found.append(f"{name} was removed")
        elif added := _values(new["properties"][name]) - _values(described):
            found.append(f"{name} may now be {', '.join(sorted(added))}")
        elif _types(described) != _types(new["properties"][name]):
            found.append(f"{name} changed its type")
    return found


def _values(described: dict[str, Any]) -> set[str]:
    """The closed list of values, if it is one."""
    found = set(described.get("enum", []))
    for part in [described.get("items", {}), *described.get("anyOf", [])]:
        if isinstance(part, dict):
            found |= set(part.get("enum", []))
    return {str(value) for value in found}


def _types(described: dict[str, Any]) -> list[str]:
    alternatives = described.get("anyOf", [described])
    return sorted(f"{part.get('type')}:{part.get('format', '')}" for part in alternatives)
