"""The events a service announces: those of its `events.py` that its topics declare."""

from inspect import getmembers, isclass
from types import ModuleType

from shared.messaging.event import Event
from shared.messaging.topics import topics


def announced(service: str, events: ModuleType) -> list[type[Event]]:
    """List announced events in the order of `shared/contracts/topics.json`."""
    by_name = {name: member for name, member in getmembers(events, isclass) if issubclass(member, Event)}
    return [
        by_name[name]
        for topic in topics().values()
        if topic.producer == service
        for name in topic.types
        if name in by_name
    ]
