"""Settings of every service, read from the environment (prefix `KITH_`) when a process starts."""

import os
import socket
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.mongo import Driver

PREFIX = "KITH_"


class Settings(BaseSettings):
    """One instance per process. A service with settings of its own subclasses this.

    Refuses to start (pydantic's `ValidationError`, one line per setting) when a value is missing,
    unsafe or unknown.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    environment: Literal["development", "production"] = "production"
    instance: str = Field(default_factory=socket.gethostname)
    """Names this replica; stable across its restarts."""

    kafka: str = "localhost:9092"
    """Bootstrap servers, host:port, comma-separated."""
    embedded_broker: bool = False
    """The memory-only broker of the development stack: no idempotent producer, short sessions."""
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
    """Public keys that sign tokens: an https address, or in development a file."""
    token_issuer: str = "kith"  # noqa: S105 (a name, no secret)
    token_audience: str = "kith"  # noqa: S105 (a name, no secret)

    clock_file: Path | None = None
    """Development only: time comes from this file (see `shared.clock`)."""
    clinics_file: Path = Path("deploy/config/clinics.json")

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
        """Read the environment; a `KITH_` variable that no setting knows is refused by name."""
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}")
        return cls()

    def database_name(self, service: str) -> str:
        return f"{self.database_prefix}{service}"
