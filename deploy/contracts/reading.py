"""Checks readers against published messages: every example is kept, and every reader must read all."""

import inspect
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from deploy.contracts.export import SERVICES, announced, subscriptions
from shared.messaging.event import Event, Inbound

ROOT = Path(__file__).parents[2]
EXAMPLES = "shared/contracts/examples"
EARLIER = f"{EXAMPLES}/earlier"
"""Examples since replaced under the same version: messages like them are still in the log."""

Model = TypeVar("Model", bound=Event | Inbound)


def readers() -> list[tuple[str, type[Inbound]]]:
    """(service, class) of every event model that services read, except dead letters."""
    return [
        (service, model)
        for service in SERVICES
        for reactions in subscriptions(service).values()
        for model, _ in reactions
        if not model.topic.endswith(".dead-letters")
    ]


def published(root: Path, model: type[Event] | type[Inbound], version: int) -> list[dict[str, Any]]:
    """The examples of an event in one version, the earlier ones last."""
    name = f"{model.topic}.{model.__name__}.v{version}.json"
    now, before = root / EXAMPLES / name, root / EARLIER / name
    examples = [*json.loads(now.read_text()).values()] if now.exists() else []
    return examples + (json.loads(before.read_text()) if before.exists() else [])


def kept(before: str | None, after: str, earlier: str | None) -> str | None:
    """New content of the `earlier` file when examples are replaced; `None` if nothing new must be kept."""
    known = json.loads(earlier or "[]")
    gone = [
        old for old in json.loads(before or "{}").values() if old not in (*json.loads(after).values(), *known)
    ]
    return json.dumps(known + gone, indent=2, sort_keys=True, ensure_ascii=False) + "\n" if gone else None


def unread(root: Path, model: type[Inbound]) -> Iterator[str]:
    """One sentence per published message that this reader cannot read, with what to do about it."""
    for version in range(1, model.schema_version + 1):
        for body in published(root, model, version):
            try:
                lifted = body if version == model.schema_version else model.upcast(body, version)
                model.model_validate_json(json.dumps(lifted))
            except ValidationError as why:
                for error in why.errors():
                    yield _problem(model, version, str(error["loc"][0]), error["msg"])


def _problem(model: type[Inbound], version: int, field: str, message: str) -> str:
    mend = "give it a default"
    if version < model.schema_version:
        mend += ", or lift it in `upcast`"
    elif owner := _owner(model):
        mend += (
            f", or raise schema_version of {_place(_home(owner, field))} and of its readers, with an `upcast`"
        )
    where = _place(_home(model, field))
    return f"{where} does not read messages of version {version} ({field}: {message}): {mend}."


def _home(model: type[Model], field: str) -> type[Model]:
    """The class that declares a field, which several may inherit."""
    return next((c for c in model.__mro__ if field in vars(c).get("__annotations__", {})), model)


def behind() -> Iterator[str]:
    """For readers that would dead-letter every message as `newer_schema`: what to set, and where."""
    for service in SERVICES:
        models = [model for reader, model in readers() if reader == service]
        owners = {model: owner for model in models if (owner := _owner(model))}
        for version in sorted({owner.schema_version for owner in owners.values()}):
            late = [m for m, owner in owners.items() if m.schema_version < version == owner.schema_version]
            yield from (f"set schema_version = {version} in {where}" for where in _highest(late, models))


def to_raise(broken: Iterable[type[Event]]) -> list[str]:
    """The classes that need another `schema_version`."""
    return _highest(list(broken), [event for service in SERVICES for event in announced(service)])


def _highest(chosen: list[type[Model]], every: list[type[Model]]) -> list[str]:
    """Where the chosen classes are declared; a common base class if all its subclasses are chosen."""
    found = set()
    for model in chosen:
        above = [c for c in model.__mro__ if issubclass(c, Event | Inbound) and c not in (Event, Inbound)]
        whole = [c for c in above if all(one in chosen for one in every if issubclass(one, c))]
        found.add(_place(whole[-1] if whole else model))
    return sorted(found)


def _owner(model: type[Inbound]) -> type[Event] | None:
    for service in SERVICES:
        for event in announced(service):
            if (event.topic, event.__name__) == (model.topic, model.__name__):
                return event
    return None


def _place(model: type[Model]) -> str:
    file = Path(inspect.getfile(model))
    return f"class {model.__name__} in {file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}"
