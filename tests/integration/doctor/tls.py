"""A server that speaks TLS and nothing else, with a certificate of our choosing."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import trustme

from deploy.embedded.ports import LOOPBACK

CA = trustme.CA()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


def certificate(days: float) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return CA.issue_cert(LOOPBACK, not_before=now - timedelta(days=100), not_after=now + timedelta(days=days))


@asynccontextmanager
async def tls_server(shown: trustme.LeafCert) -> AsyncIterator[int]:
    """Its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.configure_cert(context)
    server = await asyncio.start_server(lambda _, writer: writer.close(), LOOPBACK, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
