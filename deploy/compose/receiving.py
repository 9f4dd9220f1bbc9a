"""The telephone of the watchdog's clinic inside the compose network."""

import asyncio
import os
import signal

from deploy.demo.receiver import Receiver, listening
from deploy.watchdog.clinic import CONTACT

HOST, PORT = "receiver", 8080
EVERYWHERE = "0.0.0.0"  # noqa: S104 (of the container)


def webhook_secret() -> str:
    """Raises `KeyError` if the compose file sets none."""
    return os.environ["WEBHOOK_SECRET"]


async def receive() -> None:
    """Receive pages until SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with listening(Receiver(PORT, HOST, webhook_secret()), EVERYWHERE):
        await told.wait()


def telephone() -> str:
    """The receiver's address, for the roster."""
    return Receiver(PORT, HOST).address(CONTACT)
