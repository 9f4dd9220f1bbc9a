"""Guarantees taken away on purpose: the suite has to notice each of them (reliability.md, mutations)."""

from typing import Any

from deploy.embedded.broker import Broker

CONSTANT_CLUSTER_ID = "constant-cluster-id"
OF_SERVICES = ("inbox-off", "weak-writes", "offset-first")
"""Those that a service has: it is started by `tests.chaos.mutant` then."""

MUTATIONS: dict[str, list[tuple[str, ...]]] = {
    CONSTANT_CLUSTER_ID: [("kill broker",)],
    "inbox-off": [("messages duplicated",), ("kill broker",)],
    "weak-writes": [("kill mongod",)] * 12,
    "offset-first": [("die before commit: care_plan",)] * 3,
}
"""Mutation → the faults under which it does harm."""


class ForgetfulBroker(Broker):
    """Loses its log as it ships, but comes back under the same id, so that nobody can tell."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "cluster_id" or not getattr(self, name, ""):
            super().__setattr__(name, value)
