"""Apache Kafka as in production: SCRAM over TLS, mutual TLS, an authorizer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import trustme
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives import serialization
from testcontainers.core.container import DockerContainer

from deploy.embedded.servers import NotReady, attempts, free_ports
from deploy.topics.cluster import administering
from shared.settings import KafkaSettings
from tests.support.containers import KAFKA, KAFKA_SETTINGS, READY_SECONDS, running, said

SECRETS = "/secrets"
USERS = ("intake", "care_plan")


@dataclass(frozen=True)
class Secured:
    """`scram` and `mutual` are the addresses of its listeners; `folder` holds everybody's PEM files."""

    scram: str
    mutual: str
    folder: Path
    passwords: dict[str, str]

    def with_password(self, who: str, **other: Any) -> dict[str, Any]:
        return {
            "kafka": self.scram,
            "kafka_security": "SASL_SSL",
            "kafka_username": who,
            "kafka_password": self.passwords[who],
            "kafka_ca_file": self.folder / "ca.pem",
        } | other

    def with_certificate(self, who: str, **other: Any) -> dict[str, Any]:
        """Certificate and key in one file, as brokers take them too."""
        return {
            "kafka": self.mutual,
            "kafka_security": "SSL",
            "kafka_ca_file": self.folder / "ca.pem",
            "kafka_certificate_file": self.folder / f"{who}.pem",
        } | other


@asynccontextmanager
async def secured_kafka(folder: Path) -> AsyncIterator[Secured]:
    """With the users, without a topic or a right."""
    scram, mutual = free_ports(1), free_ports(1)
    _write_secrets(folder)
    kafka = Secured(
        f"127.0.0.1:{scram}", f"127.0.0.1:{mutual}", folder, {who: token_urlsafe() for who in USERS}
    )
    container = DockerContainer(KAFKA).with_volume_mapping(str(folder), SECRETS, "ro")
    for port in (scram, mutual):  # the same inside: tools in the container follow the advertised addresses
        container.with_bind_ports(port, port)
    for name, value in (KAFKA_SETTINGS | _settings(scram, mutual)).items():
        container.with_env(f"KAFKA_{name}", value)
    container.with_command(["bash", "-f", "/etc/kafka/docker/run"])
    async with running(container):
        await _answers(kafka, container)
        async with administering(KafkaSettings(**kafka.with_certificate("admin"))) as cluster:
            await cluster.give_passwords(kafka.passwords)
        yield kafka


def _settings(scram: int, mutual: int) -> dict[str, str]:
    return {
        "LISTENERS": f"SCRAM://:{scram},MUTUAL://:{mutual},CONTROLLER://localhost:9093",
        "ADVERTISED_LISTENERS": f"SCRAM://127.0.0.1:{scram},MUTUAL://127.0.0.1:{mutual}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "SCRAM:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT",
        "INTER_BROKER_LISTENER_NAME": "MUTUAL",
        "SASL_ENABLED_MECHANISMS": "SCRAM-SHA-512",
        "OPTS": f"-Djava.security.auth.login.config={SECRETS}/jaas.conf",
        "SSL_KEYSTORE_TYPE": "PEM",
        "SSL_KEYSTORE_LOCATION": f"{SECRETS}/kafka.pem",
        "SSL_TRUSTSTORE_TYPE": "PEM",
        "SSL_TRUSTSTORE_LOCATION": f"{SECRETS}/ca.pem",
        "LISTENER_NAME_MUTUAL_SSL_CLIENT_AUTH": "required",
        "SSL_PRINCIPAL_MAPPING_RULES": "RULE:^.*CN=([^,]+).*$/$1/",
        "AUTHORIZER_CLASS_NAME": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The controller's listener, which only the container itself reaches, knows nobody by name.
        "SUPER_USERS": "User:admin;User:kafka;User:ANONYMOUS",
    }


def _write_secrets(folder: Path) -> None:
    folder.chmod(0o755)  # the container's user is another
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
    for who in ("kafka", "admin", *USERS):
        _write_pair(folder / f"{who}.pem", ca.issue_cert("127.0.0.1", "localhost", common_name=who))
    _write_pair(folder / "stranger.pem", trustme.CA().issue_cert("stranger", common_name="intake"))
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    (folder / "jaas.conf").write_text(f"KafkaServer {{ {login} }};\n")


def _write_pair(path: Path, cert: trustme.LeafCert) -> None:
    """Kafka reads keys as PKCS 8 only."""
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), None)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(text + b"".join(blob.bytes() for blob in cert.cert_chain_pems))
    path.chmod(0o644)


async def _answers(kafka: Secured, container: DockerContainer) -> None:
    settings = KafkaSettings(**kafka.with_certificate("admin"))
    async for _ in attempts(READY_SECONDS, pause=0.5):
        try:
            async with administering(settings) as cluster:
                await cluster.rights()
        except (KafkaError, OSError):
            continue
        return
    raise NotReady(f"{KAFKA} did not answer within {READY_SECONDS:g} s\n{said(container)}")
