"""Checks of rendered manifests beyond their schemas: each module's docstring says what it checks."""

from collections.abc import Iterator

from deploy.kubernetes.checks import environments, networks, pods, references, servers, upkeep, watching
from deploy.kubernetes.objects import Objects

CHECKS = (pods, environments, references, networks, upkeep, servers, watching)


def problems(objects: Objects) -> Iterator[str]:
    """One line per problem, each naming its object."""
    for check in CHECKS:
        yield from check.problems(objects)
