"""Settings of the watchdog, read from the environment (prefix `KITH_WATCHDOG_`)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Self

import httpx2
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from deploy.watchdog.clinic import CLINIC, SUBJECT
from shared.auth import mint
from shared.settings import LineSettings

PREFIX = "KITH_WATCHDOG_"


class WatchdogSettings(LineSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    intake_url: str = "http://intake:8000"
    alerts_url: str = "http://alerts:8000"
    clinic: str = CLINIC
    """The reserved clinic: in the clinics and on-call files, with only test receivers on its roster."""

    every_seconds: float = Field(default=60, ge=1)
    within_seconds: float = Field(default=30, gt=0)
    """A page that takes longer is a failure, without a heartbeat."""
    heartbeat_url: SecretStr = SecretStr("")
    """Fetched after every success; the service behind it alarms when the requests stop."""

    token_file: Path | None = None
    """A token for the reserved clinic with the roles coordinator and clinician, reread in every round."""
    development_key: Path | None = None
    """Development only: a key that signs such tokens instead."""

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    """The port of `/metrics`."""

    @field_validator("heartbeat_url")
    @classmethod
    def _is_address(cls, given: SecretStr) -> SecretStr:
        """Checked at the start: otherwise the heartbeat would later be missing while everything works."""
        address = given.get_secret_value().strip()
        if address and not _leads_somewhere(address):
            raise ValueError("must be an http or https address, or empty")
        return SecretStr(address)

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.token_file is None) == (self.development_key is None):
            raise ValueError("either token_file or development_key must be set")
        return self

    def token(self) -> str:
        """Raises `OSError` when the file cannot be read."""
        if self.token_file is not None:
            return self.token_file.read_text().strip()
        assert self.development_key is not None  # noqa: S101 (the validator has looked)
        key = json.loads(self.development_key.read_text())
        hour = timedelta(hours=1)
        return mint(
            key, subject=SUBJECT, roles=["coordinator", "clinician"], clinic=self.clinic, lifetime=hour
        )


def _leads_somewhere(address: str) -> bool:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
