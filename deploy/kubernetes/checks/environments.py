"""A container's environment is one with which its service would start."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.kubernetes.objects import Container, Objects
from deploy.watchdog.settings import WatchdogSettings
from services.alerts.settings import AlertsSettings
from services.dashboard.settings import DashboardSettings
from shared.settings import PREFIX, KafkaSettings, Settings

SETTINGS: dict[str, type[BaseSettings]] = {
    "services.intake": Settings,
    "services.care_plan": Settings,
    "services.scheduler": Settings,
    "services.alerts": AlertsSettings,
    "services.dashboard": DashboardSettings,
    "deploy.watchdog": WatchdogSettings,
    "deploy.cli": KafkaSettings,
}
"""Settings class by module; commands need only the Kafka settings."""

SECRET = "from-a-secret"  # noqa: S105 (a placeholder)
TELLING = ("PASSWORD", "SECRET", "TOKEN_KEY", "MONGODB", "HEARTBEAT_URL")
READ_AT_START = "KAFKA_CA_FILE"
"""Opened when settings are read, but exists only in the cluster."""


def problems(objects: Objects) -> Iterator[str]:
    for container in objects.containers():
        if container.module not in SETTINGS:
            yield f"{container.title} runs {container.module}, whose settings nobody knows"
            continue
        environment = objects.environment(container)
        ours = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        found = [*_unknown(container, ours), *_open_secrets(ours), *_instance(container)]
        found += _refused(container, ours) if not found else []
        yield from (f"{container.title} {problem}" for problem in found)


def _known(container: Container) -> set[str]:
    return {f"{_prefix(container)}{name}".upper() for name in SETTINGS[container.module].model_fields}


def _prefix(container: Container) -> str:
    return SETTINGS[container.module].model_config.get("env_prefix", "")


def _unknown(container: Container, environment: dict[str, str | None]) -> Iterator[str]:
    for name in sorted(environment.keys() - _known(container)):
        yield f"is given {name}, which no setting of it knows"


def _open_secrets(environment: dict[str, str | None]) -> Iterator[str]:
    for name, value in environment.items():
        if value is not None and name.endswith(TELLING):
            yield f"is given {name} in the open: it belongs into a Secret"


def _instance(container: Container) -> Iterator[str]:
    """Two replicas with the same name would share a lease and a group."""
    entries = {entry["name"]: entry.get("valueFrom", {}) for entry in container.spec.get("env", [])}
    named = entries.get(f"{PREFIX}INSTANCE", {}).get("fieldRef", {}).get("fieldPath")
    if container.service and named != "metadata.name":
        yield f"is not named after its pod ({PREFIX}INSTANCE)"


def _stand_in(name: str) -> str:
    return f"https://{SECRET}" if name.endswith("_URL") else SECRET


def _refused(container: Container, environment: dict[str, str | None]) -> Iterator[str]:
    """Validate with the settings class itself, with stand-ins for secrets and without the cluster's file."""
    read: dict[str, Any] = {
        name.removeprefix(_prefix(container)).lower(): _stand_in(name) if value is None else value
        for name, value in environment.items()
        if name != f"{PREFIX}{READ_AT_START}"
    }
    try:
        SETTINGS[container.module](**read)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            yield f"would not start: {'.'.join(str(part) for part in problem['loc'])} {problem['msg']}"
