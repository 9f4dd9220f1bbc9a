"""The members of a MongoDB replica set, each queried directly: `hello` needs no rights."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from deploy.embedded.diagnosis import Check
from shared.mongo import MongoDatabase, PyMongoError

NAME = "replica set"
ANSWER_MS = 3000
NOT_DIRECT = {"replicaset", "directconnection", "authsource", "authmechanism", "readpreference"}


@dataclass(frozen=True)
class Address:
    """The parts of a connection string, without the credentials."""

    hosts: tuple[str, ...]
    options: dict[str, str]
    srv: bool

    @classmethod
    def of(cls, uri: str) -> "Address":
        parts = urlsplit(uri)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        options = dict(parse_qsl(parts.query))
        return cls(tuple(hosts), options, parts.scheme == "mongodb+srv")

    @property
    def tls(self) -> bool:
        chosen = {name.lower(): value for name, value in self.options.items()}
        return (chosen.get("tls") or chosen.get("ssl") or str(self.srv)).lower() == "true"

    @property
    def certificate_file(self) -> Path | None:
        found = self.options.get("tlsCertificateKeyFile")
        return Path(found) if found else None

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.options.get("tlsCAFile"))
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file)
        return context

    def direct(self, host: str) -> str:
        options = {name: value for name, value in self.options.items() if name.lower() not in NOT_DIRECT}
        return f"mongodb://{host}/?{urlencode(options | {'directConnection': 'true'})}"


async def hello(address: Address, host: str) -> dict[str, Any] | None:
    """A member's answer to `hello`; None if it does not answer."""
    member = MongoDatabase(address.direct(host), "admin", timeout_ms=ANSWER_MS)
    try:
        said: dict[str, Any] = await member.db.command("hello")
        return said
    except PyMongoError:
        return None
    finally:
        await member.close()


async def look(address: Address) -> dict[str, dict[str, Any] | None]:
    """Query every member that any of them names; answers by host:port."""
    found: dict[str, dict[str, Any] | None] = {}
    wanted = set(address.hosts)
    while wanted - found.keys():
        new = sorted(wanted - found.keys())
        found |= dict(zip(new, await asyncio.gather(*(hello(address, host) for host in new)), strict=True))
        named = _named(found)
        if named:  # the set's own names identify its members; other addresses are aliases
            wanted = named
    return {host: found[host] for host in sorted(wanted)}


def _named(found: dict[str, dict[str, Any] | None]) -> set[str]:
    lists = ("hosts", "passives", "arbiters")
    return {host for said in found.values() if said for name in lists for host in said.get(name, [])}


def checks(found: dict[str, dict[str, Any] | None]) -> list[Check]:
    """Check that a majority is up with a primary, and name the members that are down."""
    if not any(found.values()):
        return [
            Check(
                NAME, False, f"none of {', '.join(found)} answers", "start mongod there, or let us reach it"
            )
        ]
    if not any(said and "setName" in said for said in found.values()):
        mend = "start mongod with --replSet and initiate it: without it there are no transactions"
        return [Check(NAME, False, "a server without a replica set", mend)]
    up = {host for host, said in found.items() if said and _works(said)}
    down = sorted(found.keys() - up)
    result = [_majority(up, found), _primary(found), _failover(found)]
    if down:
        mend = "bring them back before another one fails; see docs/runbooks.md, mongod without a majority"
        result.append(Check(NAME, False, f"down or not yet in step: {', '.join(down)}", mend))
    return result


def _works(said: dict[str, Any]) -> bool:
    return bool(said.get("isWritablePrimary") or said.get("secondary") or said.get("arbiterOnly"))


def _majority(up: set[str], found: dict[str, Any]) -> Check:
    ok = len(up) * 2 > len(found)
    mend = "bring members back: nothing can be written without a majority"
    return Check(NAME, ok, f"{len(up)} of {len(found)} members work", "" if ok else mend)


def _primary(found: dict[str, dict[str, Any] | None]) -> Check:
    primary = [host for host, said in found.items() if said and said.get("isWritablePrimary")]
    if primary:
        return Check(NAME, True, f"primary is {primary[0]}")
    return Check(NAME, False, "no primary", "bring members back until there is a majority: they elect one")


def _failover(found: dict[str, Any]) -> Check:
    ok = len(found) >= 3
    mend = "add members until there are three: with fewer, one that fails stops everything"
    return Check("failover", ok, f"{len(found)} members", "" if ok else mend)
