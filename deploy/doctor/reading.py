"""Reads a service's settings as the service would, and finds all that would keep it from starting."""

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
"""Services with their own settings class; the others use the common `Settings`."""

ENVIRONMENT = f"{PREFIX}ENVIRONMENT"


def read_environment(file: Path | None) -> dict[str, str]:
    """Every `KITH_` variable, from a file of NAME=VALUE lines if given, else from this process."""
    found = os.environ if file is None else dotenv_values(file, interpolate=False)
    return {name: value for name, value in found.items() if name.startswith(PREFIX) and value is not None}


def settings_class(service: str) -> type[Settings]:
    if service not in OWN_SETTINGS:
        return Settings
    module, name = OWN_SETTINGS[service]
    found: type[Settings] = getattr(import_module(module), name)
    return found


def read(service: str, variables: Mapping[str, str]) -> tuple[Settings | None, list[Check]]:
    """The settings, or None if the service would not start in production; a failed check per problem."""
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
    """Build the service as it does itself: reads its files, sets up its channels, connects to nothing."""
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
    """Make these the only `KITH_` variables while the block runs."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)
