"""Runs the watchdog until SIGTERM. Exits with 2 and one line per invalid setting."""

import asyncio
import signal
import sys
from contextlib import suppress

import structlog
from prometheus_client import start_http_server
from pydantic import ValidationError

from deploy.watchdog.beating import beat
from deploy.watchdog.settings import PREFIX, WatchdogSettings
from shared.process import to_mend


def main() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        settings = WatchdogSettings()
    except ValidationError as error:
        sys.stderr.writelines(f"watchdog: {line}\n" for line in to_mend(error, PREFIX))
        raise SystemExit(2) from None
    start_http_server(settings.http_port, settings.http_host)
    asyncio.run(_until_told(settings))


async def _until_told(settings: WatchdogSettings) -> None:
    beating = asyncio.create_task(beat(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, beating.cancel)
    with suppress(asyncio.CancelledError):
        await beating


if __name__ == "__main__":
    main()
