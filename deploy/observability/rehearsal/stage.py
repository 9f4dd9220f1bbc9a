"""A stack in real time with the page, telephones, the watchdog and Prometheus."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.desks import Desks
from deploy.demo.receiver import Receiver, listening
from deploy.embedded.log_watch import LogLine
from deploy.embedded.plan import PAGE, ROOT, SERVICES, Plan, Ports
from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.processes import Process, spawn, stop
from deploy.embedded.stack import Stack, running
from deploy.observability.prometheus import Prometheus
from deploy.watchdog.clinic import CONTACT, write_files

BOOKS_SECONDS = 60
WATCHDOG_SECONDS = 15


@dataclass(frozen=True)
class Stage:
    stack: Stack
    desks: Desks
    prometheus: Prometheus


@asynccontextmanager
async def stage(folder: Path, every: float, say: Callable[[LogLine], None]) -> AsyncIterator[Stage]:
    """A stage that is ready and scraped every `every` seconds. Raises as `running`, and `NotInstalled`."""
    receiver = Receiver(free_ports(1))
    async with listening(receiver), running(_plan(folder, receiver), say) as stack:
        watchdog, beats = _watchdog(stack, folder)
        prometheus = Prometheus(folder / "prometheus", free_ports(1))
        try:
            await prometheus.start(_addresses(stack, beats), every)
            async with Desks.of(stack.state) as desks:
                yield Stage(stack, desks, prometheus)
        finally:
            prometheus.stop()
            stop(watchdog, within=5)


def _plan(folder: Path, receiver: Receiver) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    clinics, on_call = write_files(folder, receiver.address(CONTACT))
    names = (PAGE, *SERVICES)
    first = free_ports(2 + len(names))
    ports = Ports({name: first + 2 + place for place, name in enumerate(names)}, first, first + 1)
    everywhere = {"clinics_file": str(clinics), "books_seconds": str(BOOKS_SECONDS)}
    return Plan(
        folder.resolve(),
        ports,
        chosen={"*": everywhere, "alerts": receiver.settings(on_call, folder)},
        page=True,
    )


def _watchdog(stack: Stack, folder: Path) -> tuple[Process, str]:
    """Start the watchdog; return its process and the address of its metrics."""
    port = free_ports(1)
    environment = os.environ | {
        "KITH_WATCHDOG_INTAKE_URL": stack.services["intake"].address,
        "KITH_WATCHDOG_ALERTS_URL": stack.services["alerts"].address,
        "KITH_WATCHDOG_DEVELOPMENT_KEY": str(stack.plan.signing_key),
        "KITH_WATCHDOG_EVERY_SECONDS": str(WATCHDOG_SECONDS),
        "KITH_WATCHDOG_HTTP_PORT": str(port),
    }
    command = [sys.executable, "-m", "deploy.watchdog"]
    log = folder.resolve() / "logs" / "watchdog.log"
    return spawn(command, folder=ROOT, log=log, environment=environment), f"http://{LOOPBACK}:{port}"


def _addresses(stack: Stack, watchdog: str) -> dict[str, str]:
    """Targets of the shipped configuration → their addresses here."""
    services = {f"{name}:8000": service.address for name, service in stack.services.items()}
    return services | {"watchdog:8000": watchdog}
