"""Roll-outs, drains, zones, autoscaling: a replica is always available, and none is without partitions."""

import re
from collections.abc import Iterator
from importlib import import_module

from deploy.contracts.export import SERVICES, subscriptions
from deploy.kubernetes.checks import watching
from deploy.kubernetes.objects import Container, Document, Objects, name_of, titled
from deploy.kubernetes.operators import dashed
from shared.messaging.topics import topic
from shared.settings import PREFIX

SPREAD = {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
EVERY_REPLICA_READS_ALL = "alerts"
GROUP = re.compile(r'group="([a-z_]+)\.([a-z]+)"')


def problems(objects: Objects) -> Iterator[str]:
    yield from _every_service(objects)
    for workload in _kept(objects):
        yield from (f"{titled(workload)} {problem}" for problem in _rolling(workload))
        yield from (f"{titled(workload)} {problem}" for problem in _spread(objects, workload))
    yield from _budgets(objects)
    for scaled in objects.of("ScaledObject"):
        yield from (f"{titled(scaled)} {problem}" for problem in _scaling(objects, scaled))
    for container in objects.containers():
        yield from (f"{container.title} {problem}" for problem in _pinned(objects, container))


def _kept(objects: Objects) -> list[Document]:
    """Workloads that must be available without a gap: all except the watchdog, which runs only once."""
    alone = [c.workload for c in objects.containers() if c.module == watching.MODULE]
    return [workload for workload in objects.of("Deployment", "StatefulSet") if workload not in alone]


def _every_service(objects: Objects) -> Iterator[str]:
    running = [container.service for container in objects.containers() if container.service]
    for service in SERVICES:
        if running.count(service) != 1:
            yield f"services.{service} runs in {running.count(service)} workloads"
    kept = objects.get("StatefulSet", EVERY_REPLICA_READS_ALL)
    if kept is None:
        yield f"{EVERY_REPLICA_READS_ALL} is no StatefulSet: its replicas would forget where they stopped"
    elif objects.get("Service", kept["spec"]["serviceName"]) is None:
        yield f"{titled(kept)} has no Service {kept['spec']['serviceName']} to name its pods"


def _rolling(workload: Document) -> Iterator[str]:
    spec = workload["spec"]
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    if workload["kind"] == "Deployment" and rolling.get("maxUnavailable") != 0:
        yield "may have a pod less during a roll-out: maxUnavailable must be 0"
    if workload["kind"] == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel":
        yield "cannot be rolled back past a pod that does not start: podManagementPolicy must be Parallel"


def _spread(objects: Objects, workload: Document) -> Iterator[str]:
    constraints = workload["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
    own = [c for c in constraints if workload in objects.pods_selected(c["labelSelector"])]
    for key in sorted(SPREAD - {constraint["topologyKey"] for constraint in own}):
        yield f"is not spread over {key}"


def _pinned(objects: Objects, container: Container) -> Iterator[str]:
    """Images are pinned: a tag may later mean another image, so a roll-back would not be exact."""
    production = objects.environment(container).get(f"{PREFIX}ENVIRONMENT") != "development"
    if production and "@sha256:" not in container.spec["image"]:
        yield f"runs {container.spec['image']}: name the image by its digest"


def _budgets(objects: Objects) -> Iterator[str]:
    """A budget must allow at least one eviction: otherwise it blocks every drain of a node."""
    for budget in objects.of("PodDisruptionBudget"):
        for workload in objects.pods_selected(budget["spec"]["selector"]):
            needed, there = budget["spec"].get("minAvailable", 0), _fewest(objects, workload)
            if needed >= there:
                yield f"{titled(budget)} lets none of {there} go"
    if objects.of("PodDisruptionBudget"):
        covered = [
            titled(workload)
            for budget in objects.of("PodDisruptionBudget")
            for workload in objects.pods_selected(budget["spec"]["selector"])
        ]
        for workload in _kept(objects):
            if covered.count(titled(workload)) != 1:
                yield f"{titled(workload)} has {covered.count(titled(workload))} disruption budgets"


def _fewest(objects: Objects, workload: Document) -> int:
    for scaled in objects.of("ScaledObject"):
        if scaled["spec"]["scaleTargetRef"]["name"] == name_of(workload):
            return int(scaled["spec"]["minReplicaCount"])
    return int(workload["spec"].get("replicas", 1))


def _scaling(objects: Objects, scaled: Document) -> Iterator[str]:
    spec = scaled["spec"]
    target = objects.get(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
    if target is None:
        yield f"scales {spec['scaleTargetRef']['name']}, which does not exist"
        return
    if name_of(target) == EVERY_REPLICA_READS_ALL:
        yield "scales what reads every crisis flag in every replica: more of them read no faster"
    if "replicas" in target["spec"]:
        yield f"and {titled(target)} both say how many: every apply would undo the scaling"
    for trigger in spec["triggers"]:
        if trigger["type"] == "prometheus":
            yield from _by_lag(scaled, trigger["metadata"])


def _by_lag(scaled: Document, metadata: Document) -> Iterator[str]:
    found = GROUP.search(metadata["query"])
    groups = {s: set(subscriptions(s)) for s in SERVICES}
    if found is None or found[2] not in groups.get(found[1], set()):
        yield f"looks at the lag of no group of ours: {metadata['query']}"
        return
    if dashed(found[1]) != scaled["spec"]["scaleTargetRef"]["name"]:
        yield f"scales by the lag of {found[1]}, another service"
    namespace = scaled["metadata"].get("namespace")
    if namespace and f'namespace="{namespace}"' not in metadata["query"]:
        yield "looks at the lag of other namespaces as well"
    most = max(topic(name).partitions for name in _topics(found[1], found[2]))
    if scaled["spec"]["maxReplicaCount"] > most:
        yield f"allows more replicas than there are partitions ({most}): the last would never be ready"
    if metadata.get("ignoreNullValues") != "false" or "fallback" not in scaled["spec"]:
        yield "takes silence for no lag: ignoreNullValues must be false, with a fallback"


def _topics(service: str, subscription: str) -> tuple[str, ...]:
    module = import_module(f"services.{service}.subscribers")
    return tuple(getattr(module, subscription.upper()).topics)
