"""Ports for whole stacks started from the command line."""

from deploy.embedded.plan import PAGE, SERVICES
from deploy.embedded.ports import free_ports


def ports() -> list[str]:
    """Options of `kith up` and `kith demo` for unused ports that no outgoing connection takes."""
    listening = len((*SERVICES, PAGE))
    first = free_ports(listening + 2)
    servers = ["--mongod-port", str(first + listening), "--kafka-port", str(first + listening + 1)]
    return ["--port-base", str(first), *servers]
