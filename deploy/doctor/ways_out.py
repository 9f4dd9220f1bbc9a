"""Checks outgoing connections: the other services, the on-call rosters and, with `--deep`, their channels."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiosmtplib
import httpx2

from deploy.doctor import certificates
from deploy.embedded.diagnosis import Check
from services.alerts.app import read_on_call
from services.alerts.settings import AlertsSettings
from services.dashboard.settings import DashboardSettings
from shared.settings import Settings

ANSWER_SECONDS = 10.0


async def checks(settings: Settings, *, deep: bool) -> list[Check]:
    found: list[Check] = []
    if isinstance(settings, DashboardSettings):
        found += await asyncio.gather(*(_service(name, url) for name, url in settings.urls.items()))
    if isinstance(settings, AlertsSettings):
        found.append(rosters(settings))
        if deep:
            found += [check async for check in _to_people(settings)]
    return found


def rosters(settings: AlertsSettings) -> Check:
    """Report rosters of unknown clinics: alerts starts despite them, but not if a clinic has no roster."""
    if strangers := read_on_call(settings).strangers:
        mend = "name them in KITH_ON_CALL_FILE as KITH_CLINICS_FILE does, or take them out"
        return Check("on call", False, f"no clinic of the clinics file: {', '.join(strangers)}", mend)
    return Check("on call", True, "the clinics of the clinics file")


async def _service(name: str, url: str) -> Check:
    mend = f"start {name}, or set KITH_{name.upper()}_URL to where it is"
    try:
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{url}/health/live")
    except httpx2.HTTPError as error:
        return Check("services", False, f"{name} at {url}: {type(error).__name__}", mend)
    ok = answer.status_code == httpx2.codes.OK
    return Check("services", ok, f"{name} answers {answer.status_code}", "" if ok else mend)


async def _to_people(settings: AlertsSettings) -> AsyncIterator[Check]:
    """Check the channels to people as far as possible without paging anybody."""
    if settings.smtp_host:
        yield await mail(settings)
    hosts = {
        (parts.hostname or "", parts.port or 443)
        for contact in read_on_call(settings).policy.people()
        for channel in contact.channels
        if channel.kind == "webhook" and (parts := urlsplit(channel.to)).scheme == "https"
    }
    for host, port in sorted(hosts):
        yield await certificates.of_server("webhooks", host, port)


async def mail(settings: AlertsSettings) -> Check:
    """Connect to the mail server, log in and disconnect; sends nothing."""
    place = f"{settings.smtp_host}:{settings.smtp_port}"
    server = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        timeout=ANSWER_SECONDS,
    )
    try:
        async with server:
            if settings.smtp_username and settings.smtp_password:
                await server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            await server.noop()
    except (aiosmtplib.SMTPException, OSError) as error:
        return Check(
            "e-mail", False, f"{place}: {type(error).__name__}", "mend KITH_SMTP_…, or the mail server"
        )
    return Check("e-mail", True, f"{place} takes our mail")
