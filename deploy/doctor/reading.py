"""A service's settings as it would read them, and everything that would keep it from starting."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from dotenv import dotenv_values

from deploy.embedded.diagnosis import Check
from shared.process import to_mend
from shared.service import Service
from shared.settings import PREFIX, Settings

OWN_SETTINGS = {
    "alerts": ("services.alerts.settings", "AlertsSettings"),
    "dashboard": ("services.dashboard.settings", "DashboardSettings"),
}
"""Services with settings of their own; the others read what every service reads."""

ENVIRONMENT = f"{PREFIX}ENVIRONMENT"


def read_environment(file: Path | None) -> dict[str, str]:
    """Every `KITH_` variable: of a file with NAME=VALUE lines, else of this process."""
    found = os.environ if file is None else dotenv_values(file, interpolate=False)
    return {name: value for name, value in found.items() if name.startswith(PREFIX) and value is not None}


def settings_class(service: str) -> type[Settings]:
    if service not in OWN_SETTINGS:
        return Settings
    module, name = OWN_SETTINGS[service]
    found: type[Settings] = getattr(import_module(module), name)
    return found


def read(service: str, variables: Mapping[str, str]) -> tuple[Settings | None, list[Check]]:
    """The settings, if it would start in production with them; a check per line that must be mended."""
    checks = [_environment(variables)]
    with _as_environment({**variables, ENVIRONMENT: "production"}):
        try:
            settings = settings_class(service).load()
            _build(service, settings)
        except (ValueError, OSError) as error:
            return None, checks + [Check("settings", False, line, _mend(line)) for line in to_mend(error)]
    return settings, [*checks, Check("settings", True, f"{service} starts with them")]


def _environment(variables: Mapping[str, str]) -> Check:
    chosen = variables.get(ENVIRONMENT, "production")
    ok = chosen == "production"
    return Check("environment", ok, chosen, "" if ok else f"set {ENVIRONMENT}=production, or leave it out")


def _build(service: str, settings: Settings) -> Service:
    """As the service does it: its files are read, its channels are set up, nothing is connected yet."""
    built: Service = import_module(f"services.{service}.app").build(settings)
    return built


def _mend(line: str) -> str:
    name, _, _ = line.partition(":")
    return (
        f"set {name} accordingly"
        if name.startswith(PREFIX)
        else "another value, in the environment or the file"
    )


@contextmanager
def _as_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Only these `KITH_` variables, for as long as the block runs."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)
