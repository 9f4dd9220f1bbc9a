"""The layout of a development stack: its data folder, its ports, the settings of each service."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.ports import LOOPBACK, PortTaken, PortTwice, is_free

SERVICES = ("intake", "care_plan", "scheduler", "alerts")
"""In documentation order; each listens at the port base plus its position, counted from 1."""

PAGE = "dashboard"
"""The service that people open in a browser; it listens at the port base itself."""

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_DATA = Path(".kith")
PORT_BASE = 8100
MONGOD_PORT = 27117
KAFKA_PORT = 19092
PREFIX = "KITH_"


class UnknownSetting(Exception):
    """A `--set` that is not `name=value` or `service.name=value`."""

    def __init__(self, text: str) -> None:
        super().__init__(f"--set {text}: write NAME=VALUE or SERVICE.NAME=VALUE ({', '.join(SERVICES)})")


@dataclass(frozen=True)
class Ports:
    services: dict[str, int]
    mongod: int = MONGOD_PORT
    kafka: int = KAFKA_PORT

    @classmethod
    def above(
        cls, base: int, *, mongod: int = MONGOD_PORT, kafka: int = KAFKA_PORT, **chosen: int | None
    ) -> "Ports":
        """Put the page at `base` and services at `base` + 1, + 2, …, except those chosen by name."""
        counted = {name: base + place for place, name in enumerate((PAGE, *SERVICES))}
        return cls({name: chosen.get(name) or port for name, port in counted.items()}, mongod, kafka)

    def require_free(self) -> None:
        """Raises `PortTwice` if two members share a port, `PortTaken` for the first port that is not free."""
        ours: dict[int, str] = {}
        for what, port in self._listening.items():
            if port in ours:
                raise PortTwice(port, *((name, _option(name)) for name in (ours[port], what)))
            ours[port] = what
        for port, what in ours.items():
            if not is_free(port):
                raise PortTaken(port, what, _option(what))

    @property
    def _listening(self) -> dict[str, int]:
        return {"mongod": self.mongod, "kafka": self.kafka, **self.services}


def _option(what: str) -> str:
    option = f"--{what.replace('_', '-')}-port"
    return option if what in ("mongod", "kafka") else f"{option} or --port-base"


@dataclass(frozen=True)
class Plan:
    """`data` is absolute. `chosen` are settings by service name, or `*` for every service.

    `page`: whether the dashboard runs too.
    """

    data: Path
    ports: Ports
    clock_file: Path | None = None
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)
    page: bool = False

    @property
    def services(self) -> tuple[str, ...]:
        return (*SERVICES, PAGE) if self.page else SERVICES

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def jwks(self) -> Path:
        return self.data / "keys" / "jwks.json"

    @property
    def signing_key(self) -> Path:
        return self.data / "keys" / "development.json"

    def url(self, service: str) -> str:
        return f"http://{LOOPBACK}:{self.ports.services[service]}"

    def environment(self, service: str, *, mongodb: str, kafka: str) -> dict[str, str]:
        """The environment of one service: everything of this process except its `KITH_` variables.

        Fetch waits are short: the embedded broker answers when the wait is over, not when data arrives.
        """
        settings = {
            "environment": "development",
            "instance": f"{service}-1",
            "kafka": kafka,
            "embedded_broker": "true",
            "session_timeout_ms": "3000",
            "heartbeat_ms": "500",
            "fetch_wait_ms": "20",
            "mongodb": mongodb,
            "http_host": LOOPBACK,
            "http_port": str(self.ports.services[service]),
            "jwks": str(self.jwks),
            "clinics_file": str(ROOT / "deploy" / "config" / "clinics.json"),
            "log_format": "json",
        }
        if service == PAGE:
            settings |= {f"{name}_url": self.url(name) for name in SERVICES}
            settings["development_key"] = str(self.signing_key)
        if service == "alerts" and PAGE in self.ports.services:
            settings["public_url"] = self.url(PAGE)
        if self.clock_file is not None:
            settings["clock_file"] = str(self.clock_file)
        settings |= self.chosen.get("*", {}) | self.chosen.get(service, {})
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ours = {f"{PREFIX}{name}".upper(): value for name, value in settings.items()}
        return inherited | ours | {"PYTHONUNBUFFERED": "1"}


def chosen_settings(texts: list[str]) -> dict[str, dict[str, str]]:
    """`["log_level=DEBUG", "alerts.smtp_port=1025"]` → settings by service. Raises `UnknownSetting`."""
    chosen: dict[str, dict[str, str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        service, dot, setting = name.rpartition(".")
        if not equals or not setting or (dot and service not in (*SERVICES, PAGE)):
            raise UnknownSetting(text)
        chosen.setdefault(service or "*", {})[setting] = value
    return chosen
