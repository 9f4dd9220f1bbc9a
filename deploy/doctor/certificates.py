"""Remaining validity of certificates, both the servers' and the service's own."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from deploy.embedded.diagnosis import Check

SOON = timedelta(days=14)
"""Leaves enough office hours to renew a certificate, even with a holiday in between."""

CONNECT_SECONDS = 5.0
RENEW = "renew it now; see docs/runbooks.md, certificate expiry"


async def of_server(name: str, host: str, port: int, context: ssl.SSLContext | None = None) -> Check:
    """Do a TLS handshake as a client would; an untrusted certificate is a finding too."""
    place = f"{host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                host, port, ssl=context or ssl.create_default_context(), server_hostname=host
            )
    except ssl.SSLCertVerificationError as error:
        return Check(
            name, False, f"{place}: {error.verify_message}", "let a trusted authority sign for this name"
        )
    except (OSError, TimeoutError) as error:
        return Check(name, False, f"{place}: {_why(error)}", "is it there, and does it speak TLS?")
    shown = writer.get_extra_info("peercert") or {}
    writer.close()
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return until_when(name, place, until)


async def of_address(name: str, url: str) -> Check:
    """Check the certificate of an https address."""
    parts = urlsplit(url)
    return await of_server(name, parts.hostname or "", parts.port or 443)


def of_file(name: str, path: Path) -> Check:
    """Check the PEM certificate in the file that expires first."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        return Check(name, False, f"{path.name}: {type(error).__name__}", "put a PEM certificate there")
    return until_when(name, path.name, min(certificate.not_valid_after_utc for certificate in found))


def until_when(name: str, what: str, until: datetime) -> Check:
    left = until - datetime.now(UTC)
    if left <= timedelta(0):
        return Check(name, False, f"{what} expired on {until:%Y-%m-%d}", RENEW)
    return Check(name, left > SOON, f"{what} is good for {left.days} days", "" if left > SOON else RENEW)


def _why(error: BaseException) -> str:
    return error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
