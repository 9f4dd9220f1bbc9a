"""Queries over rendered manifests: objects by kind and name, pods, containers, environments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

WORKLOADS = ("Deployment", "StatefulSet", "Job")


def name_of(document: Document) -> str:
    return str(document["metadata"]["name"])


def titled(document: Document) -> str:
    """How a problem names an object: `Deployment/intake`."""
    return f"{document['kind']}/{name_of(document)}"


@dataclass(frozen=True)
class Container:
    """One container of one of Kith's workloads, with its pod."""

    workload: Document
    pod: Document
    spec: Document

    @property
    def title(self) -> str:
        return f"{titled(self.workload)}: container {self.spec['name']}"

    @property
    def module(self) -> str:
        """The module that `python -m` runs in it."""
        command = self.spec.get("command", [])
        return str(command[2]) if command[:2] == ["python", "-m"] and len(command) > 2 else ""

    @property
    def service(self) -> str:
        """`care_plan` for `python -m services.care_plan`; empty if it is not a service."""
        package, _, service = self.module.partition(".")
        return service if package == "services" else ""


class Objects:
    """Everything one overlay renders."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = tuple(documents)

    def of(self, *kinds: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] in kinds]

    def names(self, *kinds: str) -> set[str]:
        return {name_of(document) for document in self.of(*kinds)}

    def get(self, kind: str, name: str) -> Document | None:
        return next((document for document in self.of(kind) if name_of(document) == name), None)

    def containers(self) -> Iterator[Container]:
        """Containers of Kith's workloads; operators' pods are not rendered here."""
        for workload in self.of(*WORKLOADS):
            pod = workload["spec"]["template"]["spec"]
            for spec in (*pod.get("initContainers", []), *pod["containers"]):
                yield Container(workload, pod, spec)

    def pods_selected(self, selector: Document) -> list[Document]:
        """Workloads whose pods match a label selector."""
        return [w for w in self.of(*WORKLOADS) if _selects(selector, pod_labels(w))]

    def environment(self, container: Container) -> dict[str, str | None]:
        """Variables by name; `None` if the value is a secret or known only to the cluster."""
        values: dict[str, str | None] = {}
        for source in container.spec.get("envFrom", []):
            config = self.get("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            values |= (config or {}).get("data", {})
        return values | {entry["name"]: entry.get("value") for entry in container.spec.get("env", [])}


def pod_labels(workload: Document) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"].get("labels", {})
    return labels


def _selects(selector: Document, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_fits(expression, labels) for expression in selector.get("matchExpressions", []))


def _fits(expression: Document, labels: dict[str, str]) -> bool:
    """Supports the two of the four operators that these manifests use. Raises `ValueError` for another."""
    found = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return found in expression["values"]
        case "Exists":
            return found is not None
        case other:
            raise ValueError(f"selector operator {other} is not looked at")
