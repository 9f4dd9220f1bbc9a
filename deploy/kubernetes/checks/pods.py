"""Every container of Kith's: hardened, probed, with resources, and with enough time to shut down."""

from collections.abc import Iterator
from typing import Any

from deploy.kubernetes.objects import Container, Objects
from shared.process import REQUESTS_SECONDS, SHUTDOWN_SECONDS

USER = 10001
"""The image's user id (deploy/Dockerfile)."""

PROBES = {
    "startupProbe": "/health/live",
    "livenessProbe": "/health/live",
    "readinessProbe": "/health/serving",
}
AMOUNTS = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))


def problems(objects: Objects) -> Iterator[str]:
    for container in objects.containers():
        found = [*_hardening(container), *_writing(container), *_resources(container)]
        if container.service:
            found += [*_probes(container), *_ending(container)]
        yield from (f"{container.title} {problem}" for problem in found)


def _hardening(container: Container) -> Iterator[str]:
    pod, own = container.pod.get("securityContext", {}), container.spec.get("securityContext", {})
    wanted: list[tuple[str, Any, Any]] = [
        ("runAsNonRoot", (pod | own).get("runAsNonRoot"), True),
        ("runAsUser", (pod | own).get("runAsUser"), USER),
        ("seccompProfile", (pod | own).get("seccompProfile"), {"type": "RuntimeDefault"}),
        ("readOnlyRootFilesystem", own.get("readOnlyRootFilesystem"), True),
        ("allowPrivilegeEscalation", own.get("allowPrivilegeEscalation"), False),
        ("capabilities", own.get("capabilities"), {"drop": ["ALL"]}),
        ("privileged", own.get("privileged", False), False),
        ("automountServiceAccountToken", container.pod.get("automountServiceAccountToken"), False),
        ("enableServiceLinks", container.pod.get("enableServiceLinks"), False),
    ]
    for name, found, right in wanted:
        if found != right:
            yield f"has {name} {found}, not {right}"
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if container.pod.get(name):
            yield f"shares the node's {name}"


def _writing(container: Container) -> Iterator[str]:
    """A read-only file system needs a /tmp, and no volume may come from the node's disk."""
    volumes = {volume["name"]: volume for volume in container.pod.get("volumes", [])}
    mounts = {mount["mountPath"]: mount for mount in container.spec.get("volumeMounts", [])}
    if "emptyDir" not in volumes.get(mounts.get("/tmp", {}).get("name"), {}):  # noqa: S108 (a mount, no file)
        yield "has no emptyDir at /tmp"
    yield from (f"mounts the node's disk: {name}" for name, volume in volumes.items() if "hostPath" in volume)


def _resources(container: Container) -> Iterator[str]:
    resources = container.spec.get("resources", {})
    for kind, amount in AMOUNTS:
        if amount not in resources.get(kind, {}):
            yield f"has no {amount} in its {kind}"


def _probes(container: Container) -> Iterator[str]:
    for name, path in PROBES.items():
        asked = container.spec.get(name, {}).get("httpGet", {})
        if (asked.get("path"), asked.get("port")) != (path, "http"):
            yield f"has no {name} that asks {path} at its port http"


def _ending(container: Container) -> Iterator[str]:
    """The grace period starts with preStop and must outlast requests and messages in progress."""
    before = container.spec.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    needed = before + REQUESTS_SECONDS + SHUTDOWN_SECONDS
    given = container.pod.get("terminationGracePeriodSeconds", 30)
    if not before:
        yield "goes while others still send to it: preStop must sleep"
    if given <= needed:
        yield f"is killed after {given} s, and needs {needed} s to end"
