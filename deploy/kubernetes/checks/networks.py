"""Network policies: deny by default; each selects existing pods; each connection is allowed at both ends."""

from collections.abc import Iterator

from deploy.kubernetes.objects import Document, Objects, name_of, pod_labels, titled

OURS = {"app.kubernetes.io/part-of": "kith"}
BOTH = {"Ingress", "Egress"}


def problems(objects: Objects) -> Iterator[str]:
    yield from _denied_first(objects)
    yield from _meaning_somebody(objects)
    yield from _both_ends(objects)
    yield from _labels_kept_to_ourselves(objects)


def _denied_first(objects: Objects) -> Iterator[str]:
    denied: set[str] = set()
    for policy in objects.of("NetworkPolicy"):
        spec = policy["spec"]
        if set(spec["policyTypes"]) == BOTH and not spec.get("ingress") and not spec.get("egress"):
            denied.update(titled(workload) for workload in objects.pods_selected(spec["podSelector"]))
    for container in objects.containers():
        if titled(container.workload) not in denied:
            yield f"{titled(container.workload)} is denied nothing: no policy forbids all traffic to its pods"


def _meaning_somebody(objects: Objects) -> Iterator[str]:
    for policy in objects.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        if not objects.pods_selected(selector) and not _is_operators(selector):
            yield f"{titled(policy)} means no pod"


def _is_operators(selector: Document) -> bool:
    return any(not key.startswith("app.kubernetes.io/") for key in selector.get("matchLabels", {}))


def _both_ends(objects: Objects) -> Iterator[str]:
    """Traffic that one workload may send to another must be allowed in at the other."""
    for policy in objects.of("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to", []):
                receivers = objects.pods_selected(peer["podSelector"]) if "podSelector" in peer else []
                for sender in objects.pods_selected(policy["spec"]["podSelector"]):
                    for receiver in receivers:
                        if not _may_receive(objects, receiver, sender):
                            yield f"{titled(receiver)} may not receive what {name_of(sender)} may send it"


def _may_receive(objects: Objects, receiver: Document, sender: Document) -> bool:
    wanted = Objects([sender])
    for policy in objects.of("NetworkPolicy"):
        if receiver in objects.pods_selected(policy["spec"]["podSelector"]):
            for rule in policy["spec"].get("ingress", []):
                if any(wanted.pods_selected(p["podSelector"]) for p in rule["from"] if "podSelector" in p):
                    return True
    return False


def _labels_kept_to_ourselves(objects: Objects) -> Iterator[str]:
    """Operators copy their resources' labels to pods; those pods must not match Kith's own label."""
    for document in objects.of("Kafka", "KafkaNodePool", "MongoDBCommunity"):
        if document["metadata"].get("labels", {}).keys() & OURS.keys():
            yield f"{titled(document)} is labelled as ours: its pods would be denied all traffic"
    for container in objects.containers():
        if not OURS.items() <= pod_labels(container.workload).items():
            yield f"{titled(container.workload)} is not labelled as ours: nothing is denied to its pods"
