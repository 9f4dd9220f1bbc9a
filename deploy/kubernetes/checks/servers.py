"""Kafka's and MongoDB's resources agree with the code: topics, rights, databases, copies."""

from collections.abc import Iterator

from deploy.contracts.export import SERVICES
from deploy.kubernetes.objects import Document, Objects, name_of, titled
from deploy.kubernetes.operators import topic_resources, user_resources
from shared.settings import PREFIX, Settings

DATABASES = Settings.model_fields["database_prefix"].default


def problems(objects: Objects) -> Iterator[str]:
    for kafka in objects.of("Kafka"):
        yield from (f"{titled(kafka)} {problem}" for problem in _cluster(objects, kafka))
        yield from _as_declared(
            objects, "KafkaUser", user_resources(), parts=("authentication", "authorization")
        )
        yield from _as_declared(objects, "KafkaTopic", topic_resources(), parts=("partitions",))
        yield from _kept(objects)
        yield from _copies(objects)
    for replica_set in objects.of("MongoDBCommunity"):
        yield from (f"{titled(replica_set)} {problem}" for problem in _replica_set(replica_set))
    yield from _own_user(objects)


def _cluster(objects: Objects, kafka: Document) -> Iterator[str]:
    spec = kafka["spec"]["kafka"]
    for listener in spec["listeners"]:
        name = listener["name"]
        if not listener["tls"] or listener.get("authentication", {}).get("type") != "scram-sha-512":
            yield f"lets anybody read or write at its listener {name}"
        if not listener.get("networkPolicyPeers"):
            yield f"is open to every pod at its listener {name}"
        for config in objects.of("ConfigMap"):
            address = config.get("data", {}).get(f"{PREFIX}KAFKA")
            if address not in (None, f"{name_of(kafka)}-kafka-bootstrap:{listener['port']}"):
                yield f"is not what {PREFIX}KAFKA names: {address}"
    if spec.get("authorization", {}).get("type") != "simple":
        yield "lets every user do everything: authorization must be simple"
    if spec["config"].get("auto.create.topics.enable") != "false":
        yield "makes topics that somebody merely asks for, with the wrong number of partitions"


def _as_declared(
    objects: Objects, kind: str, declared: list[Document], *, parts: tuple[str, ...]
) -> Iterator[str]:
    there = {name_of(document): document for document in objects.of(kind)}
    wanted = {name_of(document): document for document in declared}
    for name in sorted(there.keys() ^ wanted.keys()):
        yield f"{kind}/{name} is {'not declared by the code' if name in there else 'missing'}"
    for name in sorted(there.keys() & wanted.keys()):
        for part in parts:
            if there[name]["spec"].get(part) != wanted[name]["spec"][part]:
                yield f"{kind}/{name} has another {part} than the code declares"


def _kept(objects: Objects) -> Iterator[str]:
    wanted = {name_of(topic): topic["spec"]["config"] for topic in topic_resources()}
    for topic in objects.of("KafkaTopic"):
        for name, value in wanted.get(name_of(topic), {}).items():
            found = topic["spec"]["config"].get(name)
            if found != value and name != "min.insync.replicas":
                yield f"{titled(topic)} has {name} {found}, not {value}"


def _copies(objects: Objects) -> Iterator[str]:
    """Acknowledged messages survive the loss of a node; a single node is for development only."""
    nodes = sum(pool["spec"]["replicas"] for pool in objects.of("KafkaNodePool"))
    for topic in objects.of("KafkaTopic"):
        copies, in_sync = topic["spec"]["replicas"], int(topic["spec"]["config"]["min.insync.replicas"])
        if copies > nodes:
            yield f"{titled(topic)} wants {copies} copies on {nodes} nodes"
        if nodes > 1 and not 1 < in_sync < copies:
            yield f"{titled(topic)} is not safe with {copies} copies, {in_sync} of them in sync"


def _replica_set(replica_set: Document) -> Iterator[str]:
    spec = replica_set["spec"]
    if not spec["security"]["tls"].get("enabled"):
        yield "speaks without TLS"
    if spec["members"] % 2 == 0:
        yield f"has {spec['members']} members, and no majority when half of them are gone"
    rights = {user["name"]: user["roles"] for user in spec["users"]}
    for service in SERVICES:
        database = f"{DATABASES}{service}"
        if rights.pop(database, None) != [{"name": "readWrite", "db": database}]:
            yield f"has no user that can read and write {database} and nothing else"
    yield from (f"has a user {name} who is no service" for name in rights)


def _own_user(objects: Objects) -> Iterator[str]:
    """Each service uses its own user: with another's it could read that service's data."""
    for container in objects.containers():
        own = container.service.replace("_", "-")
        for entry in container.spec.get("env", []):
            secret = entry.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
            if own and entry["name"] == f"{PREFIX}MONGODB" and secret != f"mongodb-{own}":
                yield f"{container.title} uses MongoDB as {secret}"
            if own and entry["name"] == f"{PREFIX}KAFKA_PASSWORD" and secret != f"kith-{own}":
                yield f"{container.title} uses Kafka as {secret}"
            username = str(entry.get("value")).replace("_", "-")
            if own and entry["name"] == f"{PREFIX}KAFKA_USERNAME" and username != f"kith-{own}":
                yield f"{container.title} uses Kafka as {entry.get('value')}"
