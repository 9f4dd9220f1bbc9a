"""Each service's rights on the cluster: write its own topics, read those it reacts to, no more."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import Literal

from shared.messaging.topics import topics

PRINCIPAL = "User:{service}"

Operation = Literal["Read", "Write", "Describe"]


@dataclass(frozen=True, order=True)
class Right:
    """One ALLOW, from any host. `pattern`: whether `name` is the exact name or a prefix."""

    principal: str
    resource: Literal["topic", "group"]
    name: str
    pattern: Literal["literal", "prefixed"]
    operation: Operation


def rights(principal: str = PRINCIPAL) -> list[Right]:
    """`principal` is the cluster's name for a service, with `{service}` in it. Raises `ValueError`.

    Writing includes the idempotent producer (since Kafka 3.0) and describing. Groups are named
    `service.subscription.epoch`.
    """
    if "{service}" not in principal:
        raise ValueError(f"--principal {principal}: write {{service}} where the service's name stands")
    return sorted(right for service in _services() for right in _of(service, principal))


def _services() -> set[str]:
    declared = topics().values()
    return {t.producer for t in declared} | {consumer for t in declared for consumer in t.consumers}


def _of(service: str, principal: str) -> Iterator[Right]:
    who = principal.replace("{service}", service)
    for topic in topics().values():
        if topic.producer == service:
            yield Right(who, "topic", topic.name, "literal", "Write")
        if service in topic.consumers:
            yield Right(who, "topic", topic.name, "literal", "Read")
    yield Right(who, "group", f"{service}.", "prefixed", "Read")


def commands(wanted: Iterable[Right], bootstrap: str) -> Iterator[str]:
    """The rights as commands of Kafka's own tool, for clusters whose rights are managed elsewhere."""
    for right in wanted:
        principal, resource, name, pattern, operation = astuple(right)
        yield (
            f"kafka-acls.sh --bootstrap-server {bootstrap} --command-config admin.properties --add"
            f" --allow-principal '{principal}' --operation {operation}"
            f" --{resource} {name} --resource-pattern-type {pattern}"
        )
