"""Every reference resolves: ConfigMaps, Secrets and their keys, accounts, services, ports, files."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from deploy.contracts.export import SERVICES
from deploy.kubernetes.objects import Container, Document, Objects, name_of, titled
from deploy.kubernetes.operators import dashed
from deploy.kubernetes.rendering import HERE
from shared.settings import PREFIX

MADE_BY_HAND = re.compile(r"kubectl create secret (?:generic|tls) \"?([a-z0-9$-]+)\"?((?:[^\n]*\\\n)*[^\n]*)")
KEY = re.compile(r"--from-(?:file|literal)=\"?([A-Za-z0-9._-]+)=")


def problems(objects: Objects) -> Iterator[str]:
    secrets = known_secrets(objects)
    for container in objects.containers():
        found = [*_environment(objects, container, secrets), *_volumes(objects, container, secrets)]
        found += [*_files(objects, container), *_account(objects, container)]
        yield from (f"{container.title} {problem}" for problem in found)
    yield from _secrets_of_others(objects, secrets)
    yield from (f"{titled(secret)} is here with what is secret in it" for secret in objects.of("Secret"))
    yield from _ports(objects)
    yield from _scraped(objects)
    yield from _ways_in(objects)


def known_secrets(objects: Objects, readme: Path = HERE / "README.md") -> dict[str, set[str]]:
    """Secret → keys, of those created by operators and those the README tells how to create."""
    known: dict[str, set[str]] = {}
    for kafka in objects.of("Kafka"):
        known[f"{name_of(kafka)}-cluster-ca-cert"] = {"ca.crt"}
    for user in objects.of("KafkaUser"):
        known[name_of(user)] = {"password"}
    for replica_set in objects.of("MongoDBCommunity"):
        for user in replica_set["spec"]["users"]:
            known[user["connectionStringSecretName"]] = {"connectionString.standard"}
    for written, rest in MADE_BY_HAND.findall(readme.read_text()):
        for service in SERVICES:
            name = written.replace("$service", dashed(service))
            known.setdefault(name, set()).update(KEY.findall(rest))
    return known


def _environment(objects: Objects, container: Container, secrets: dict[str, set[str]]) -> Iterator[str]:
    for source in container.spec.get("envFrom", []):
        reference = source.get("configMapRef", {})
        if "secretRef" in source:
            yield "takes a whole Secret into its environment: name the keys"
        elif reference.get("optional") or reference["name"] not in objects.names("ConfigMap"):
            yield f"takes its environment from ConfigMap {reference['name']}, which may not be there"
    for entry in container.spec.get("env", []):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if reference is not None:
            yield from _secret(reference["name"], [reference], secrets)


def _volumes(objects: Objects, container: Container, secrets: dict[str, set[str]]) -> Iterator[str]:
    for volume in container.pod.get("volumes", []):
        if "secret" in volume:
            source = volume["secret"]
            if not source.get("items"):
                yield f"mounts all of Secret {source['secretName']}: name the keys"
            yield from _secret(source["secretName"], [source, *source.get("items", [])], secrets)
        if "configMap" in volume and volume["configMap"]["name"] not in objects.names("ConfigMap"):
            yield f"mounts ConfigMap {volume['configMap']['name']}, which does not exist"
    declared = {volume["name"] for volume in container.pod.get("volumes", [])}
    for mount in container.spec.get("volumeMounts", []):
        if mount["name"] not in declared:
            yield f"mounts {mount['name']}, which is no volume of its pod"


def _secret(name: str, references: list[Document], secrets: dict[str, set[str]]) -> Iterator[str]:
    if any(reference.get("optional") for reference in references):
        yield f"would start without Secret {name}"
    if name not in secrets:
        yield f"needs Secret {name}, which no operator makes and the README does not tell of"
        return
    for key in {reference["key"] for reference in references if "key" in reference} - secrets[name]:
        yield f"needs {key} of Secret {name}, which has no such key"


def _files(objects: Objects, container: Container) -> Iterator[str]:
    """Every file named by a setting is mounted."""
    files = _mounted(objects, container)
    for name, value in objects.environment(container).items():
        if name.startswith(PREFIX) and value and value.startswith("/") and value not in files:
            yield f"is told by {name} to read {value}, which is not mounted"


def _mounted(objects: Objects, container: Container) -> set[str]:
    volumes = {volume["name"]: volume for volume in container.pod.get("volumes", [])}
    files: set[str] = set()
    for mount in container.spec.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        config = objects.get("ConfigMap", volume.get("configMap", {}).get("name", "")) or {}
        keys = [*config.get("data", {}), *(i["path"] for i in volume.get("secret", {}).get("items", []))]
        files.update(str(PurePosixPath(mount["mountPath"]) / key) for key in keys)
    return files


def _account(objects: Objects, container: Container) -> Iterator[str]:
    account = container.pod.get("serviceAccountName")
    if account is not None and objects.get("ServiceAccount", account) is None:
        yield f"runs as ServiceAccount {account}, which does not exist"
    priority = container.pod.get("priorityClassName")
    if priority is not None and objects.get("PriorityClass", priority) is None:
        yield f"has priority {priority}, which does not exist"


def _secrets_of_others(objects: Objects, secrets: dict[str, set[str]]) -> Iterator[str]:
    for ingress in objects.of("Ingress"):
        for entry in ingress["spec"].get("tls", []):
            if entry.get("secretName") not in secrets:
                yield f"{titled(ingress)} needs Secret {entry.get('secretName')}, of which nobody tells"
    for replica_set in objects.of("MongoDBCommunity"):
        tls = replica_set["spec"]["security"]["tls"]
        needed = {user["passwordSecretRef"]["name"] for user in replica_set["spec"]["users"]}
        needed |= {tls["certificateKeySecretRef"]["name"], tls["caCertificateSecretRef"]["name"]}
        for name in sorted(needed - secrets.keys()):
            yield f"{titled(replica_set)} needs Secret {name}, of which nobody tells"


def _ports(objects: Objects) -> Iterator[str]:
    for service in objects.of("Service"):
        workloads = objects.pods_selected({"matchLabels": service["spec"]["selector"]})
        if len(workloads) != 1:
            yield f"{titled(service)} selects the pods of {len(workloads)} workloads"
            continue
        opened = {
            port["name"]
            for container in workloads[0]["spec"]["template"]["spec"]["containers"]
            for port in container.get("ports", [])
        }
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in opened:
                yield f"{titled(service)} leads to port {port['targetPort']}, which nobody opens"
    for container in objects.containers():
        if container.service:
            declared = {str(port["containerPort"]) for port in container.spec.get("ports", [])}
            listening = objects.environment(container).get(f"{PREFIX}HTTP_PORT")
            if declared != {listening}:
                yield f"{container.title} listens at {listening} and says {', '.join(sorted(declared))}"


def _scraped(objects: Objects) -> Iterator[str]:
    """Every workload with a port is scraped there, by exactly one monitor."""
    monitors = objects.of("PodMonitor")
    for container in objects.containers() if monitors else ():
        ports = {port["name"] for port in container.spec.get("ports", [])}
        asking = [m for m in monitors if container.workload in objects.pods_selected(m["spec"]["selector"])]
        asked = [e["port"] for monitor in asking for e in monitor["spec"]["podMetricsEndpoints"]]
        if ports and (len(asked) != 1 or not ports.issuperset(asked)):
            yield f"no PodMonitor, or more than one, scrapes {titled(container.workload)} at a port of its"


def _ways_in(objects: Objects) -> Iterator[str]:
    """Ingress rules and addresses in settings lead to existing services and ports."""
    opened = {
        name_of(service): {port["name"] for port in service["spec"]["ports"]}
        | {str(port["port"]) for port in service["spec"]["ports"]}
        for service in objects.of("Service")
    }
    for ingress in objects.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                target = path["backend"]["service"]
                if target["port"].get("name") not in opened.get(target["name"], set()):
                    yield f"{titled(ingress)} leads {rule['host']} to {target['name']}, which is not there"
    for container in objects.containers():
        for name, value in objects.environment(container).items():
            inside = re.fullmatch(r"http://([a-z-]+):(\d+)", value or "")
            if inside and inside[2] not in opened.get(inside[1], set()):
                yield f"{container.title} is told by {name} to ask {value}, where nobody answers"
