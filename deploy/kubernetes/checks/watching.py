"""The watchdog, if deployed: a single replica, and its clinic in the configuration."""

import json
from collections.abc import Iterator

from deploy.kubernetes.objects import Document, Objects, titled
from deploy.watchdog.clinic import CLINIC

MODULE = "deploy.watchdog"


def problems(objects: Objects) -> Iterator[str]:
    for container in objects.containers():
        if container.module == MODULE:
            yield from (f"{titled(container.workload)} {problem}" for problem in _alone(container.workload))
            yield from _clinic(objects)


def _alone(workload: Document) -> Iterator[str]:
    spec = workload["spec"]
    if (spec.get("replicas"), spec.get("strategy", {}).get("type")) != (1, "Recreate"):
        yield "may run twice, and two end each other's crises: replicas 1, strategy Recreate"


def _clinic(objects: Objects) -> Iterator[str]:
    """Its clinic is configured. A roster in a Secret is not visible here; without one its rounds fail."""
    for config in objects.of("ConfigMap"):
        held = config.get("data", {})
        if "clinics.json" in held and CLINIC not in _ids(held["clinics.json"]):
            yield f"{titled(config)} has no clinic {CLINIC}: intake would refuse what the watchdog sends"
        if "on_call.json" in held and CLINIC not in json.loads(held["on_call.json"])["clinics"]:
            yield f"{titled(config)} has no roster for the clinic {CLINIC}"


def _ids(text: str) -> set[str]:
    return {clinic["id"] for clinic in json.loads(text)["clinics"]}
