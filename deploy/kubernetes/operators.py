"""Kafka's topics and users as Strimzi resources, generated from the declaration (`deploy.topics`)."""

from deploy.contracts.export import SERVICES
from deploy.kubernetes.objects import Document
from deploy.topics.declared import Shape, shapes
from deploy.topics.rights import Right, rights

CLUSTER = "kith"
PATTERNS = {"literal": "literal", "prefixed": "prefix"}
"""Kafka's name → Strimzi's name."""


def dashed(service: str) -> str:
    """Kubernetes allows no underscore: `care_plan` is called `care-plan` there."""
    return service.replace("_", "-")


def topic_resources() -> list[Document]:
    return [_resource("KafkaTopic", shape.name, _topic(shape)) for shape in shapes()]


def user_resources() -> list[Document]:
    """One user per service, with only its rights."""
    allowed = rights("{service}")
    return [
        _resource(
            "KafkaUser", f"kith-{dashed(service)}", _user([r for r in allowed if r.principal == service])
        )
        for service in SERVICES
    ]


def _resource(kind: str, name: str, spec: Document) -> Document:
    metadata = {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _topic(shape: Shape) -> Document:
    return {"partitions": shape.partitions, "replicas": shape.replication, "config": dict(shape.configs)}


def _user(allowed: list[Right]) -> Document:
    acls = [
        {
            "resource": {"type": right.resource, "name": right.name, "patternType": PATTERNS[right.pattern]},
            "operations": [right.operation],
        }
        for right in allowed
    ]
    return {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": acls},
    }
