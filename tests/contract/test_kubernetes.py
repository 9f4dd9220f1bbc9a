"""The manifests as a cluster gets them: accepted, and true to the code; each mistake planted is found."""

import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.kubernetes import schemas
from deploy.kubernetes.__main__ import written
from deploy.kubernetes.checks import problems
from deploy.kubernetes.objects import Document, Objects
from deploy.kubernetes.rendering import OVERLAYS, NoKubectl, documents, rendered

rendering = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl renders the manifests and is not on the PATH"
)
Break = Callable[[Objects], object]


def of(overlay: str) -> Objects:
    return Objects(documents(rendered(overlay)))


@rendering
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_accepts_an_overlay(overlay: str) -> None:
    assert list(schemas.problems(of(overlay))) == []


@rendering
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_wrong_with_an_overlay(overlay: str) -> None:
    assert list(problems(of(overlay))) == []


@rendering
def test_a_field_that_kubernetes_does_not_know_is_refused() -> None:
    workload = deepcopy(thing(of("production"), "Deployment", "intake"))
    workload["spec"]["template"]["spec"]["containers"][0]["resource"] = {}
    found = list(schemas.problems(Objects([workload])))
    assert len(found) == len(schemas.VERSIONS)
    assert all("refuses spec.template.spec.containers.0" in problem for problem in found)


@rendering
def test_production_has_two_of_everything_and_alerts_in_every_zone() -> None:
    production = of("production")
    fewest = {s["spec"]["scaleTargetRef"]["name"]: s["spec"]["minReplicaCount"] for s in scaled(production)}
    assert fewest == {"intake": 2, "care-plan": 2, "scheduler": 2, "dashboard": 2}
    assert thing(production, "StatefulSet", "alerts")["spec"]["replicas"] == 3


def scaled(objects: Objects) -> list[Document]:
    return objects.of("ScaledObject")


@rendering
def test_a_roster_with_addresses_is_in_no_configmap_of_production() -> None:
    for overlay in ("production", "managed"):
        held = {key for config in of(overlay).of("ConfigMap") for key in config["data"]}
        assert "clinics.json" in held
        assert "on_call.json" not in held


@pytest.mark.parametrize("path", written(), ids=lambda path: path.name)
def test_topics_and_users_are_as_the_code_declares_them(path: Path) -> None:
    assert path.read_text() == written()[path], "run `python -m deploy.kubernetes write`"


def test_a_machine_without_kubectl_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    rendered.cache_clear()
    with pytest.raises(NoKubectl, match="kubectl is not on the PATH"):
        rendered("production")


def test_an_operators_definition_refuses_a_field_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "definition.yaml").write_text(DEFINITION)
    definitions = schemas.read_definitions(tmp_path)
    fits = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a"}}
    assert list(schemas.problems(Objects([fits | {"spec": {"replicas": 2}}]), definitions)) == []
    (found,) = schemas.problems(Objects([fits | {"spec": {"replica": 2}}]), definitions)
    assert "'replica' was unexpected" in found


DEFINITION = """
kind: CustomResourceDefinition
spec:
  group: keda.sh
  names: {kind: ScaledObject}
  versions:
    - name: v1alpha1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {replicas: {type: integer}}}
"""


def thing(objects: Objects, kind: str, name: str) -> Document:
    found = objects.get(kind, name)
    assert found is not None, f"{kind}/{name} is not there"
    return found


def pod(objects: Objects, name: str = "intake") -> Document:
    kind = "StatefulSet" if name == "alerts" else "Deployment"
    spec: Document = thing(objects, kind, name)["spec"]["template"]["spec"]
    return spec


def container(objects: Objects, name: str = "intake") -> Document:
    only: Document = pod(objects, name)["containers"][0]
    return only


def variable(objects: Objects, service: str, name: str) -> Document:
    entries: list[Document] = container(objects, service)["env"]
    return next(entry for entry in entries if entry["name"] == name)


def settings(objects: Objects) -> Document:
    (found,) = (c["data"] for c in objects.of("ConfigMap") if "KITH_ENVIRONMENT" in c["data"])
    data: Document = found
    return data


def clinics(objects: Objects) -> Document:
    (found,) = (c["data"] for c in objects.of("ConfigMap") if "clinics.json" in c["data"])
    data: Document = found
    return data


def acls(objects: Objects, user: str) -> list[Document]:
    listed: list[Document] = thing(objects, "KafkaUser", user)["spec"]["authorization"]["acls"]
    return listed


def first(listed: list[Any]) -> Any:
    return listed[0]


def renamed(document: Document, name: str) -> None:
    document["metadata"]["name"] = name


MISTAKES: dict[str, tuple[Break, str]] = {
    # hardening
    "root": (lambda o: pod(o)["securityContext"].pop("runAsNonRoot"), "has runAsNonRoot None"),
    "a file system to write to": (
        lambda o: container(o)["securityContext"].update(readOnlyRootFilesystem=False),
        "has readOnlyRootFilesystem False",
    ),
    "a capability": (
        lambda o: container(o)["securityContext"].update(capabilities={"add": ["NET_ADMIN"]}),
        "has capabilities",
    ),
    "the cluster's token": (
        lambda o: pod(o).update(automountServiceAccountToken=True),
        "has automountServiceAccountToken True",
    ),
    "variables of services": (lambda o: pod(o).pop("enableServiceLinks"), "has enableServiceLinks None"),
    "no memory limit": (lambda o: container(o)["resources"].pop("limits"), "has no memory in its limits"),
    "an image by tag": (lambda o: container(o).update(image="kith:1"), "name the image by its digest"),
    # life and death
    "another readiness": (
        lambda o: container(o)["readinessProbe"]["httpGet"].update(path="/ready"),
        "has no readinessProbe that asks /health/serving",
    ),
    "no time to end": (
        lambda o: pod(o).update(terminationGracePeriodSeconds=10),
        "is killed after 10 s",
    ),
    "a gap in a roll-out": (
        lambda o: thing(o, "Deployment", "intake")["spec"]["strategy"]["rollingUpdate"].update(
            maxUnavailable=1
        ),
        "maxUnavailable must be 0",
    ),
    "a budget that stops drains": (
        lambda o: thing(o, "PodDisruptionBudget", "alerts")["spec"].update(minAvailable=3),
        "lets none of 3 go",
    ),
    "one zone": (lambda o: pod(o)["topologySpreadConstraints"].pop(0), "not spread over topology.kubernetes"),
    "replicas that forget": (
        lambda o: thing(o, "StatefulSet", "alerts").update(kind="Deployment"),
        "alerts is no StatefulSet",
    ),
    # settings
    "an unknown setting": (
        lambda o: variable(o, "care-plan", "KITH_KAFKA_USERNAME").update(name="KITH_KAFKA_USER"),
        "is given KITH_KAFKA_USER, which no setting of it knows",
    ),
    "a setting of another service": (
        lambda o: container(o)["env"].append({"name": "KITH_SMTP_HOST", "value": "smtp.example.org"}),
        "is given KITH_SMTP_HOST",
    ),
    "stepped time in production": (
        lambda o: settings(o).update(KITH_CLOCK_FILE="/tmp/clock"),  # noqa: S108 (never opened)
        "clock_file steps time and is refused",
    ),
    "no encryption": (lambda o: settings(o).update(KITH_KAFKA_SECURITY="PLAINTEXT"), "would not start"),
    "a name for all replicas": (
        lambda o: variable(o, "alerts", "KITH_INSTANCE").update(value="alerts-1", valueFrom={}),
        "is not named after its pod",
    ),
    "another port": (lambda o: settings(o).update(KITH_HTTP_PORT="8080"), "listens at 8080 and says 8000"),
    # secrets and references
    "a password in the open": (
        lambda o: container(o)["env"].append({"name": "KITH_KAFKA_PASSWORD", "value": "changeme"}),
        "is given KITH_KAFKA_PASSWORD in the open",
    ),
    "an optional secret": (
        lambda o: variable(o, "intake", "KITH_MONGODB")["valueFrom"]["secretKeyRef"].update(optional=True),
        "would start without Secret mongodb-intake",
    ),
    "a secret nobody makes": (
        lambda o: variable(o, "alerts", "KITH_SMTP_PASSWORD")["valueFrom"]["secretKeyRef"].update(
            name="mail"
        ),
        "needs Secret mail",
    ),
    "a key that is not there": (
        lambda o: variable(o, "alerts", "KITH_SMTP_PASSWORD")["valueFrom"]["secretKeyRef"].update(key="pass"),
        "needs pass of Secret smtp",
    ),
    "another service's database": (
        lambda o: variable(o, "intake", "KITH_MONGODB")["valueFrom"]["secretKeyRef"].update(
            name="mongodb-alerts"
        ),
        "uses MongoDB as mongodb-alerts",
    ),
    "a file that is not mounted": (
        lambda o: container(o)["volumeMounts"].pop(
            next(i for i, m in enumerate(container(o)["volumeMounts"]) if m["name"] == "clinics")
        ),
        "KITH_CLINICS_FILE to read /etc/kith/clinics/clinics.json, which is not mounted",
    ),
    "a ConfigMap that is gone": (
        lambda o: renamed(first(o.of("ConfigMap")), "elsewhere"),
        "takes its environment from ConfigMap channels-",
    ),
    "an address nobody has": (
        lambda o: variable(o, "dashboard", "KITH_ALERTS_URL").update(value="http://alert:8000"),
        "to ask http://alert:8000, where nobody answers",
    ),
    "a way in to nowhere": (
        lambda o: first(o.of("Ingress"))["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"].update(
            name="page"
        ),
        "to page, which is not there",
    ),
    "nobody watching": (
        lambda o: first(o.of("PodMonitor"))["spec"]["podMetricsEndpoints"][0].update(port="metrics"),
        "scrapes Deployment/intake",
    ),
    # the watchdog
    "nobody watching the watchdog": (
        lambda o: thing(o, "PodMonitor", "kith-watchdog")["spec"]["selector"].update(
            matchLabels={"app.kubernetes.io/component": "dog"}
        ),
        "scrapes Deployment/watchdog",
    ),
    "two watchdogs": (
        lambda o: thing(o, "Deployment", "watchdog")["spec"].update(strategy={"type": "RollingUpdate"}),
        "two end each other's crises",
    ),
    "a watchdog without a clinic": (
        lambda o: clinics(o).update({"clinics.json": '{"clinics": []}'}),
        "has no clinic watchdog",
    ),
    "a heartbeat in the open": (
        lambda o: container(o, "watchdog")["env"].append(
            {"name": "KITH_WATCHDOG_HEARTBEAT_URL", "value": "https://beats.example.org/1"}
        ),
        "is given KITH_WATCHDOG_HEARTBEAT_URL in the open",
    ),
    "a watchdog without a token": (
        lambda o: container(o, "watchdog")["env"].remove(variable(o, "watchdog", "KITH_WATCHDOG_TOKEN_FILE")),
        "either token_file or development_key must be set",
    ),
    "a token that is not mounted": (
        lambda o: pod(o, "watchdog")["volumes"].pop(1),
        "KITH_WATCHDOG_TOKEN_FILE to read /etc/kith/watchdog/token, which is not mounted",
    ),
    "a watchdog that is let in nowhere": (
        lambda o: thing(o, "NetworkPolicy", "from-watchdog")["spec"].update(ingress=[]),
        "may not receive what watchdog may send it",
    ),
    # networks
    "everything allowed": (
        lambda o: thing(o, "NetworkPolicy", "deny-by-default")["spec"].update(policyTypes=["Ingress"]),
        "is denied nothing",
    ),
    "a way closed at its end": (
        lambda o: thing(o, "NetworkPolicy", "from-dashboard")["spec"].update(ingress=[]),
        "may not receive what dashboard may send it",
    ),
    "a policy for nobody": (
        lambda o: thing(o, "NetworkPolicy", "alerts-to-mail")["spec"]["podSelector"].update(
            matchLabels={"app.kubernetes.io/name": "alert"}
        ),
        "means no pod",
    ),
    "Kafka's pods taken for ours": (
        lambda o: thing(o, "Kafka", "kith")["metadata"].update(labels={"app.kubernetes.io/part-of": "kith"}),
        "is labelled as ours",
    ),
    # scaling
    "more replicas than partitions": (
        lambda o: thing(o, "ScaledObject", "care-plan")["spec"].update(maxReplicaCount=13),
        "more replicas than there are partitions (12)",
    ),
    "the lag of nobody": (
        lambda o: thing(o, "ScaledObject", "scheduler")["spec"]["triggers"][0]["metadata"].update(
            query='sum(kith_consumer_lag{namespace="kith",group="scheduler.plan"})'
        ),
        "looks at the lag of no group of ours",
    ),
    "silence taken for rest": (
        lambda o: thing(o, "ScaledObject", "scheduler")["spec"].pop("fallback"),
        "takes silence for no lag",
    ),
    "the crisis lane scaled": (
        lambda o: thing(o, "ScaledObject", "intake")["spec"].update(
            scaleTargetRef={"kind": "StatefulSet", "name": "alerts"}
        ),
        "scales what reads every crisis flag",
    ),
    # servers
    "a topic too few": (lambda o: renamed(thing(o, "KafkaTopic", "scheduler.due"), "due"), "is missing"),
    "another number of partitions": (
        lambda o: thing(o, "KafkaTopic", "intake.crisis-flags")["spec"].update(partitions=12),
        "KafkaTopic/intake.crisis-flags has another partitions",
    ),
    "one copy": (
        lambda o: thing(o, "KafkaTopic", "scheduler.due")["spec"].update(replicas=1),
        "is not safe with 1 copies",
    ),
    "too many rights": (lambda o: acls(o, "kith-intake")[0].update(operations=["All"]), "another authoriz"),
    "topics made by asking": (
        lambda o: thing(o, "Kafka", "kith")["spec"]["kafka"]["config"].pop("auto.create.topics.enable"),
        "makes topics that somebody merely asks for",
    ),
    "a listener for anybody": (
        lambda o: first(thing(o, "Kafka", "kith")["spec"]["kafka"]["listeners"]).pop("authentication"),
        "lets anybody read or write",
    ),
    "a user who sees all databases": (
        lambda o: first(thing(o, "MongoDBCommunity", "mongodb")["spec"]["users"]).update(
            roles=[{"name": "readWriteAnyDatabase", "db": "admin"}]
        ),
        "has no user that can read and write kith_intake and nothing else",
    ),
    "two members": (
        lambda o: thing(o, "MongoDBCommunity", "mongodb")["spec"].update(members=2),
        "has 2 members",
    ),
}


@rendering
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(mistake: str) -> None:
    plant, said = MISTAKES[mistake]
    broken = of("production")
    plant(broken)
    found = list(problems(broken))
    assert any(said in problem for problem in found), found
