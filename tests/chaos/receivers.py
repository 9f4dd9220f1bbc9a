"""The receivers of notifications: a web and a mail server that can misbehave in every common way."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_bytes
from time import time
from typing import Any, Literal

from standardwebhooks import Webhook, WebhookVerificationError

from deploy.embedded.ports import LOOPBACK

Manner = Literal["well", "hang", "refuse", "error", "slow", "close"]
"""refuse: drops each connection. error: 500, or 451 by mail. close: ends in the middle of its answer."""

SLOW_SECONDS = 1.0


@dataclass(frozen=True)
class Page:
    """One message that reached a receiver. `answered`: it was confirmed. `window`: when it rang."""

    at: float
    id: str
    contact: str
    channel: Literal["webhook", "email"]
    alert_ids: tuple[str, ...]
    answered: bool
    window: int = 0


@dataclass
class Receivers:
    """Both receivers. `forged`: messages with a bad signature. `wronged`: connections that met misbehaviour
    since `behave`."""

    webhook_port: int
    smtp_port: int
    secret: str = field(default_factory=lambda: "whsec_" + b64encode(token_bytes(32)).decode(), repr=False)
    _manner: Manner = "well"
    _while: Callable[[], bool] = lambda: True
    pages: list[Page] = field(default_factory=list)
    forged: int = 0
    wronged: int = 0
    window: int = 0
    on_page: Any = None
    """Called with each page before it is answered."""

    _well: asyncio.Event = field(default_factory=asyncio.Event)

    def behave(self, manner: Manner, while_: Callable[[], bool] = lambda: True) -> None:
        """Misbehave as long as `while_` is true."""
        self._manner, self._while = manner, while_
        if manner == "well":
            self._well.set()
        else:
            self.wronged = 0
            self._well.clear()

    @property
    def manner(self) -> Manner:
        return self._manner if self._while() else "well"

    def settings(self, on_call_file: Path, folder: Path) -> dict[str, str]:
        """Settings of alerts that give everybody a channel: backups mail, all others a webhook."""
        policy = json.loads(on_call_file.read_text())
        for contacts in [*policy["clinics"].values(), policy["engineers"]]:
            for contact in contacts:
                contact["channels"] = [self._channel(contact)]
        chosen = folder / "on_call.json"
        chosen.write_text(json.dumps(policy))
        return {
            "on_call_file": str(chosen),
            "webhook_secret": self.secret,
            "allow_private_webhooks": "true",
            "webhook_timeout": "2",
            "smtp_host": LOOPBACK,
            "smtp_port": str(self.smtp_port),
            "smtp_tls": "none",
            "smtp_timeout": "2",
        }

    def _channel(self, contact: dict[str, Any]) -> dict[str, str]:
        if "backup" in contact["roles"]:
            return {"kind": "email", "to": f"{contact['id']}@example.org"}
        return {"kind": "webhook", "to": f"http://{LOOPBACK}:{self.webhook_port}/pages/{contact['id']}"}

    async def _held(self) -> None:
        """Delay the caller as the manner requires. Raises `ConnectionError` if it gets no answer."""
        if self.manner == "hang":
            await self._well.wait()
            raise ConnectionAbortedError
        if self.manner == "slow":
            await asyncio.sleep(SLOW_SECONDS)

    def note(self, page: Page) -> None:
        page = replace(page, window=self.window)
        self.pages.append(page)
        if self.on_page is not None:
            self.on_page(page)

    async def take_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one HTTP request."""
        if self.manner == "refuse":
            return
        head = await reader.readuntil(b"\r\n\r\n")
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        try:
            message = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        contact = request.split(" ")[1].rpartition("/")[2]
        told = self.manner in ("well", "slow", "close")
        self.note(Page(time(), headers["webhook-id"], contact, "webhook", tuple(message["alert_ids"]), told))
        await self._held()
        if self.manner == "error":
            writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        elif self.manner == "close":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\nhalf an")
        else:
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async def take_mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak just enough SMTP for alerts' client."""
        if self.manner == "refuse":
            return
        await self._held()
        writer.write(b"220 chaos\r\n")
        while line := (await reader.readline()).strip():
            word = line.upper().split(b" ")[0]
            if word == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            if word == b"DATA":
                if not await self._take_data(reader, writer):
                    return
            elif word == b"RCPT" and self.manner == "error":
                writer.write(b"451 not now\r\n")
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()

    async def _take_data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"354 go on\r\n")
        if self.manner == "close":
            await writer.drain()
            await reader.readline()
            return False
        text = (await reader.readuntil(b"\r\n.\r\n")).decode("utf-8", "replace")
        self.note(_mail(text))
        writer.write(b"250 ok\r\n")
        return True


def _mail(text: str) -> Page:
    """Parse a mail: its id, its recipient, and the alert in its link."""
    headers = dict(
        line.split(": ", 1) for line in text.split("\r\n\r\n", maxsplit=1)[0].split("\r\n") if ": " in line
    )
    id = headers["Message-ID"].strip("<>").partition("@")[0]
    link = next(word for word in text.split() if "/alerts/" in word or word.endswith("/inbox"))
    alerts = (link.rpartition("/")[2],) if "/alerts/" in link else ()
    return Page(time(), id, headers["To"].partition("@")[0], "email", alerts, True)


@asynccontextmanager
async def listening(receivers: Receivers) -> AsyncIterator[None]:
    async def run(taking: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receivers.wronged += receivers.manner != "well"
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await taking(reader, writer)
                await writer.drain()
        finally:
            writer.close()

    servers = [
        await asyncio.start_server(
            lambda r, w: run(receivers.take_call, r, w), LOOPBACK, receivers.webhook_port
        ),
        await asyncio.start_server(
            lambda r, w: run(receivers.take_mail, r, w), LOOPBACK, receivers.smtp_port
        ),
    ]
    try:
        yield
    finally:
        receivers.behave("well")
        for server in servers:
            server.close()
