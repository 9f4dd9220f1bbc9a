"""Guarantees taken away on purpose: the suite must notice each of them (reliability.md, mutations)."""

from typing import Any

from deploy.embedded.broker import Broker

CONSTANT_CLUSTER_ID = "constant-cluster-id"
OF_SERVICES = ("inbox-off", "weak-writes", "offset-first")
"""Mutations of services, which are then started through `tests.chaos.mutant`."""

MUTATIONS: dict[str, list[tuple[str, ...]]] = {
    CONSTANT_CLUSTER_ID: [("kill broker",)],
    "inbox-off": [("messages duplicated",), ("kill broker",)],
    "weak-writes": [("kill mongod",)] * 12,
    "offset-first": [("die before commit: care_plan",)] * 3,
}
"""Mutation → the faults of each window that should reveal it."""


class ForgetfulBroker(Broker):
    """Loses its log as the shipped one does, but keeps its cluster id, so that no client can tell."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "cluster_id" or not getattr(self, name, ""):
            super().__setattr__(name, value)
