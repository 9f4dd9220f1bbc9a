"""Where a webhook may connect to: public addresses only, resolved once to prevent DNS rebinding."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from services.alerts.channels import Undelivered

Resolve = Callable[[str, int], Awaitable[list[str]]]

EMBEDS_IPV4 = ip_network("64:ff9b::/96")
"""NAT64: the last 32 bits are an IPv4 address."""


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host. Raises `Undelivered("address_unresolvable")`."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise Undelivered("address_unresolvable") from None
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Neither private, loopback, link-local, multicast nor an IPv6 address that embeds such an address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    inner = embedded(ip)
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 address."""
    if isinstance(ip, IPv4Address):
        return None
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in EMBEDS_IPV4:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def is_literal_private(url: str) -> bool:
    """Whether a URL names a private host literally, so that it can be refused when the service starts."""
    host = urlsplit(url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)
