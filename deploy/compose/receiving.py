"""The telephone of the watchdog's clinic inside the compose network, and the files that name it."""

import asyncio
import json
import os
import signal
from pathlib import Path

from deploy.demo.receiver import Receiver, listening
from deploy.embedded.plan import ROOT
from deploy.watchdog.clinic import CONTACT, with_clinic, with_roster

HOST, PORT = "receiver", 8080
EVERYWHERE = "0.0.0.0"  # noqa: S104 (of the container)
SHIPPED = ROOT / "deploy" / "config"


def webhook_secret() -> str:
    """Raises `KeyError` where the compose file gives none."""
    return os.environ["WEBHOOK_SECRET"]


async def receive() -> None:
    """Until SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with listening(Receiver(PORT, HOST, webhook_secret()), EVERYWHERE):
        await told.wait()


def write_files(clinics_file: Path, on_call_file: Path) -> None:
    """As shipped, with the reserved clinic and its one telephone."""
    clinics = json.loads((SHIPPED / "clinics.json").read_text())
    policy = json.loads((SHIPPED / "on_call.json").read_text())
    receiver = Receiver(PORT, HOST).address(CONTACT)
    _write(clinics_file, json.dumps(with_clinic(clinics)))
    _write(on_call_file, json.dumps(with_roster(policy, receiver)))


def _write(path: Path, text: str) -> None:
    """A service that starts meanwhile reads the old or the new, nothing between."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)
