"""Any service that apprise supports (over a hundred), one URL per address. An extra: `kith[channels]`."""

import logging
from typing import Any

from services.alerts.channels import Message, Undelivered


class ChannelUnavailable(ValueError):
    """The on-call policy asks for a channel that is not available. Refused when the service starts."""


class AppriseChannel:
    """Raises `ChannelUnavailable` when apprise is not installed."""

    timeout = 15.0

    def __init__(self) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise ChannelUnavailable(
                "the on-call policy uses apprise, which is not installed: install kith[channels]"
            ) from None
        logging.getLogger("apprise").setLevel(logging.WARNING)  # lower levels log addresses and messages
        self._apprise: Any = apprise

    async def send(self, to: str, message: Message) -> None:
        sender = self._apprise.Apprise()
        if not sender.add(to):
            raise Undelivered("address_invalid", for_good=True)
        if not await sender.async_notify(title=message.subject, body=message.text):
            raise Undelivered("connection_failed")
