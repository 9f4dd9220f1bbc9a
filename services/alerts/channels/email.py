"""E-mail by SMTP: plain text, an opaque subject, a Message-ID that is the same on every attempt."""

import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from services.alerts.channels import Message, Undelivered
from shared.clock import Clock

Tls = Literal["starttls", "tls", "none"]
CREDENTIALS = frozenset({530, 534, 535, 538})
"""RFC 4954: credentials are required, too weak, refused, or not allowed in plain text."""


class EmailChannel:
    """`tls`: `starttls` refuses to continue in plain text; `none` is for development."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        clock: Clock,
        username: str | None = None,
        password: str | None = None,
        tls: Tls = "starttls",
        timeout: float = 10.0,
    ) -> None:
        self.timeout = timeout
        self._host, self._port, self._sender, self._clock = host, port, sender, clock
        self._username, self._password, self._tls = username, password, tls
        self._context = None if tls == "none" else ssl.create_default_context()

    async def send(self, to: str, message: Message) -> None:
        client = SMTP(
            hostname=self._host,
            port=self._port,
            timeout=self.timeout,
            username=self._username,
            password=self._password,
            use_tls=self._tls == "tls",
            start_tls=self._tls == "starttls",
            tls_context=self._context,
        )
        try:
            async with client:
                await client.send_message(self._compose(to, message), sender=self._sender, recipients=[to])
        except (SMTPException, OSError) as error:
            raise _undelivered(error) from None

    def _compose(self, to: str, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, to, message.subject
        mail["Date"] = format_datetime(self._clock.now())
        mail["Message-ID"] = f"<{message.delivery_id}@{self._sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text, cte="7bit")
        return mail


def _undelivered(error: Exception) -> Undelivered:
    """5xx is final for this address. 4xx or no answer may be retried.

    Refused credentials are final: nobody can be reached by mail, and the next channel must not wait.
    """
    if isinstance(error, SMTPTimeoutError):
        return Undelivered("timed_out")
    if isinstance(error, SMTPRecipientsRefused):
        final = all(refused.code >= 500 for refused in error.recipients)
        return Undelivered("recipient_refused", for_good=final)
    if isinstance(error, SMTPConnectError | SMTPServerDisconnected | OSError):
        return Undelivered("connection_failed")
    if isinstance(error, SMTPResponseException):
        if error.code < 500:
            return Undelivered("deferred")
        ours = isinstance(error, SMTPAuthenticationError) or error.code in CREDENTIALS
        return Undelivered("credentials_refused" if ours else "recipient_refused", for_good=True)
    return Undelivered("connection_failed")
