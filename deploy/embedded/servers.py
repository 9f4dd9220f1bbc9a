"""Re-exports: the two servers of the development stack, and what is used with them."""

from deploy.embedded.binaries import MissingBinary, broker_binary, mongod_binary
from deploy.embedded.broker import Broker, TopicsRefused, cluster_id, create_topics
from deploy.embedded.mongod import Mongod
from deploy.embedded.ports import PortTaken, PortTwice, free_ports, is_free
from deploy.embedded.probing import NotReady, attempts, listens

__all__ = [
    "Broker",
    "MissingBinary",
    "Mongod",
    "NotReady",
    "PortTaken",
    "PortTwice",
    "TopicsRefused",
    "attempts",
    "broker_binary",
    "cluster_id",
    "create_topics",
    "free_ports",
    "is_free",
    "listens",
    "mongod_binary",
]
