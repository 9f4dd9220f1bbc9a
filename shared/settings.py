"""Settings of every service, read from the environment (prefix `KITH_`) when a process starts."""

import os
import socket
import ssl
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.mongo import Driver
from shared.tls import client_context

PREFIX = "KITH_"


def without_line_end(value: Any) -> Any:
    """Strip trailing line ends from a string or secret: editors add one to files that become settings."""
    if isinstance(value, SecretStr):
        return SecretStr(without_line_end(value.get_secret_value()))
    return value.rstrip("\r\n") if isinstance(value, str) else value


class LineSettings(BaseSettings):
    """Strips trailing line ends from every setting."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_one_line(cls, value: Any) -> Any:
        return without_line_end(value)


class KafkaSettings(LineSettings):
    """How to reach Kafka, for administrators' commands as well as services."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    environment: Literal["development", "production"] = "production"

    kafka: str = "localhost:9092"
    """Bootstrap servers, host:port, comma-separated."""
    kafka_security: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    """SASL_SSL: SCRAM-SHA-512 over TLS. SSL: TLS, mutual TLS if `kafka_certificate_file` is set.
    SASL_PLAINTEXT: SCRAM-SHA-512 without TLS."""
    kafka_plaintext_allowed: bool = False
    """Allow an unencrypted listener in production: only if the network itself encrypts (a service mesh)."""
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = None
    """PEM: the authorities that may sign brokers' certificates; by default the system's."""
    kafka_certificate_file: Path | None = None
    kafka_key_file: Path | None = None
    """PEM, not encrypted: the key of `kafka_certificate_file`, unless that holds both."""

    @model_validator(mode="after")
    def _reaches_kafka_safely(self) -> Self:
        if not self._encrypts():
            self._may_be_overheard()
        if self.asks_for_password():
            if not (self.kafka_username and self.kafka_password):
                raise ValueError(
                    f"kafka_security is {self.kafka_security}: kafka_username and kafka_password must be set"
                )
        elif self.kafka_username or self.kafka_password:
            raise ValueError("kafka_username and kafka_password are used with SASL only: set kafka_security")
        if self.kafka_key_file is not None and self.kafka_certificate_file is None:
            raise ValueError("kafka_key_file is set: kafka_certificate_file must be set too")
        self.kafka_tls()
        return self

    def asks_for_password(self) -> bool:
        return self.kafka_security.startswith("SASL_")

    def _encrypts(self) -> bool:
        return self.kafka_security.endswith("SSL")

    def _may_be_overheard(self) -> None:
        """Raises `ValueError` for plaintext in production, and for TLS files that would be unused."""
        if self.environment == "production" and not self.kafka_plaintext_allowed:
            raise ValueError(
                "kafka_security must be SASL_SSL or SSL in production"
                " (kafka_plaintext_allowed=true where the network itself encrypts)"
            )
        unused = ("ca_file", "certificate_file", "key_file")
        if found := [f"kafka_{name}" for name in unused if getattr(self, f"kafka_{name}")]:
            raise ValueError(
                f"kafka_security is {self.kafka_security} and leaves {', '.join(found)} unused:"
                " set it to SASL_SSL or SSL"
            )

    def kafka_tls(self) -> ssl.SSLContext | None:
        """Raises `UnusableFile` (a `ValueError`) for an unusable certificate or key. `None` without TLS."""
        if not self._encrypts():
            return None
        return client_context(self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)


class Settings(KafkaSettings):
    """One instance per process. A service with settings of its own subclasses this.

    Refuses to start (pydantic's `ValidationError`, one line per setting) when a value is missing,
    unsafe or unknown.
    """

    instance: str = Field(default_factory=socket.gethostname)
    """Names this replica; stable across its restarts."""

    embedded_broker: bool = False
    """Use the memory-only broker of the development stack, which has short sessions."""
    fetch_wait_ms: int = Field(default=20, ge=1, le=500)
    batch_records: int = Field(default=500, ge=1, le=5000)
    session_timeout_ms: int = Field(default=10_000, ge=1000)
    heartbeat_ms: int = Field(default=2_000, ge=100)

    mongodb: SecretStr = SecretStr("mongodb://localhost:27017")
    mongodb_driver: Driver = "motor"
    database_prefix: str = "kith_"

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    max_body_bytes: int = Field(default=262_144, ge=1024)

    jwks: str = ""
    """Where the public keys for tokens are: an https address, or in development a file."""
    token_issuer: str = "kith"  # noqa: S105 (a name, no secret)
    token_audience: str = "kith"  # noqa: S105 (a name, no secret)

    clock_file: Path | None = None
    """Development only: time comes from this file (see `shared.clock`)."""
    clinics_file: Path = Path("deploy/config/clinics.json")

    otlp_endpoint: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where traces are sent (OTLP over HTTP, without the path); empty: tracing is off."""
    otlp_share: float = Field(default=1.0, ge=0, le=1)
    """The share of requests that begin a trace; one that a caller began is continued."""
    books_seconds: float = Field(default=600, ge=0)
    """How often the books are counted for the metrics; 0: never."""

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.session_timeout_ms < 3 * self.heartbeat_ms:
            raise ValueError("session_timeout_ms must be at least three times heartbeat_ms")
        if not self.jwks:
            raise ValueError("jwks must name where the public keys that sign tokens are")
        if self.environment == "production":
            if self.embedded_broker:
                raise ValueError("embedded_broker keeps its log in memory and is refused in production")
            if self.clock_file is not None:
                raise ValueError("clock_file steps time and is refused in production")
            if not self.jwks.startswith("https://"):
                raise ValueError("jwks must be an https address in production; development keys are refused")
        return self

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises `ValueError` that names any unknown `KITH_` variables."""
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}")
        return cls()

    def database_name(self, service: str) -> str:
        return f"{self.database_prefix}{service}"
