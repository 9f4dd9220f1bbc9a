"""The exported documents: a JSON Schema and examples per event, AsyncAPI per service, the table of events."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from deploy.contracts.examples import examples
from shared.messaging.announced import announced as declared
from shared.messaging.asyncapi import document
from shared.messaging.consumer import Subscription
from shared.messaging.event import Event
from shared.messaging.reactions import Reactions
from shared.messaging.topics import topics

SERVICES = ("intake", "care_plan", "scheduler", "alerts", "dashboard")


class Undescribed(LookupError):
    """An event whose class does not say what happened."""


def announced(service: str) -> list[type[Event]]:
    """The events a service's `events.py` declares for its topics, in the topics' order."""
    return declared(service, import_module(f"services.{service}.events"))


def subscriptions(service: str) -> dict[str, Reactions]:
    """A service's subscriptions from its `subscribers.py`: name → reactions."""
    module = import_module(f"services.{service}.subscribers")
    return {name.lower(): member for name, member in vars(module).items() if isinstance(member, Reactions)}


@cache
def exports() -> Mapping[str, str]:
    """Path below the repository's root → content."""
    files: dict[str, str] = {"docs/events.md": table()}
    for service in SERVICES:
        for event in announced(service):
            files[schema(event)] = _json(event.model_json_schema())
            files[schema(event).replace("schemas", "examples")] = _json(examples(event))
        files[f"shared/contracts/asyncapi/{service}.json"] = _json(asyncapi(service))
    return files


def schema(event: type[Event]) -> str:
    """The path of the event's JSON Schema."""
    return f"shared/contracts/schemas/{event.topic}.{event.__name__}.v{event.schema_version}.json"


def asyncapi(service: str) -> dict[str, Any]:
    reads = [Subscription(name, reactions) for name, reactions in subscriptions(service).items()]
    return document(service, f"Kith {service.replace('_', ' ')}", announced(service), reads)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def says(event: type[Event]) -> str:
    """The event's own docstring, never an inherited one, as a single line. Raises `Undescribed`."""
    described: str | None = event.__dict__["__doc__"]
    if not described:
        raise Undescribed(
            f"{event.__module__}.{event.__name__} has no docstring: say in one sentence what happened"
        )
    return " ".join(described.split())


def table() -> str:
    """The page of all events with producers, reactions and a diagram, as Markdown."""
    reads: dict[tuple[str, str], list[str]] = {}
    flows: dict[tuple[str, str], set[str]] = {}
    for service in SERVICES:
        for reactions in subscriptions(service).values():
            for model, react in reactions:
                reads.setdefault((model.topic, model.__name__), []).append(f"{service}: `{react.__name__}`")
                flows.setdefault((topics()[model.topic].producer, service), set()).add(model.topic)
    lines = ["# Events", "", "Generated from the code by `python -m deploy.contracts`; do not edit.", ""]
    lines += ["```mermaid", "flowchart LR"]
    for (producer, consumer), names in sorted(flows.items()):
        if producer != consumer:
            lines.append(f"  {producer} -->|{'<br/>'.join(sorted(names))}| {consumer}")
    lines += ["```", ""]
    for topic in topics().values():
        if topic.name.endswith(".dead-letters"):
            continue
        lines += [f"## {topic.name}", "", f"{topic.partitions} partitions, keyed by patient.", ""]
        lines += ["| event | what it says | who reacts |", "| --- | --- | --- |"]
        for event in announced(topic.producer):
            if event.topic == topic.name:
                who = "<br/>".join(reads.get((topic.name, event.__name__), ["–"]))
                lines.append(f"| `{event.__name__}` | {says(event)} | {who} |")
        lines.append("")
    return "\n".join(lines)
