"""Loopback ports: checking whether one is free, and finding free ones."""

import random
import socket

LOOPBACK = "127.0.0.1"
BELOW_EPHEMERAL = range(20_000, 32_000)
"""Outgoing connections never take these, so a port found free stays free until it is used."""


class PortTwice(Exception):
    """Two of the stack's processes were given the same port."""

    def __init__(self, port: int, one: tuple[str, str], other: tuple[str, str]) -> None:
        both = f"{one[0]} and {other[0]} are both to listen at port {port}"
        super().__init__(f"{both}; choose another with {one[1]} or {other[1]}")


class PortTaken(Exception):
    """Another program listens on a port of the stack; `option` is the option that changes the port."""

    def __init__(self, port: int, what: str, option: str) -> None:
        super().__init__(f"port {port} ({what}) is taken by another program; choose another with {option}")
        self.port, self.what, self.option = port, what, option


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> int:
    """The first of `count` consecutive free ports. Raises `RuntimeError` if none are found."""
    for _ in range(200):
        first = random.choice(BELOW_EPHEMERAL)  # noqa: S311  (spreads tests over ports; guards nothing)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} neighbouring free ports found")
