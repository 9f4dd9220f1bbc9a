"""What must be true of rendered manifests, beyond their schemas: each module says what it looks for."""

from collections.abc import Iterator

from deploy.kubernetes.checks import environments, networks, pods, references, servers, upkeep, watching
from deploy.kubernetes.objects import Objects

CHECKS = (pods, environments, references, networks, upkeep, servers, watching)


def problems(objects: Objects) -> Iterator[str]:
    """One line per thing to mend, named by its object."""
    for check in CHECKS:
        yield from check.problems(objects)
