"""Settings of alerts: the on-call policy, the base URL of links, and the channels."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from services.alerts.channels.email import Tls
from shared.settings import Settings


class AlertsSettings(Settings):
    on_call_file: Path = Path("deploy/config/on_call.json")
    public_url: str = "http://127.0.0.1:8100"
    """Where people log in. Links in notifications start with it."""

    smtp_host: str = ""
    """Empty: no e-mail. Refused if the on-call policy has e-mail addresses."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_tls: Tls = "starttls"
    smtp_from: str = "kith@localhost"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout: float = Field(default=10.0, gt=0, le=30)

    webhook_secret: SecretStr = SecretStr("")
    """Signs webhooks (Standard Webhooks, `whsec_` and base64 of at least 24 bytes)."""
    webhook_timeout: float = Field(default=5.0, gt=0, le=30)
    allow_private_webhooks: bool = False
    """Development only: lets webhooks go to private addresses and plain http."""

    @model_validator(mode="after")
    def _is_fit_for_people(self) -> Self:
        url = urlsplit(self.public_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("public_url must be an http or https address")
        if self.environment == "production":
            if url.scheme != "https":
                raise ValueError("public_url must be an https address in production")
            if self.allow_private_webhooks:
                raise ValueError("allow_private_webhooks is for development and refused in production")
            if self.smtp_host and self.smtp_tls == "none":
                raise ValueError("smtp_tls must be starttls or tls in production")
        return self
