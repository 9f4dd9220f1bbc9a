"""MongoDB as one service needs it: members, rights, majority writes, clock, certificates."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.doctor import certificates, members
from deploy.doctor.members import Address
from deploy.embedded.diagnosis import Check
from shared.messaging.lease import Lease
from shared.mongo import MongoDatabase, PyMongoError, refusal
from shared.settings import Settings

OLDEST = (6, 0)
TOLERANCE = timedelta(seconds=1)
"""Leases last three seconds by the server's clock, while timestamps shown to people use this machine's."""

OWN = {"find", "insert", "update", "remove", "createCollection", "createIndex", "changeStream"}
READING_OR_WRITING = {"find", "insert", "update", "remove"}
WITHIN = 10.0


async def checks(settings: Settings, service: str) -> list[Check]:
    address = Address.of(settings.mongodb.get_secret_value())
    found = await _transport(address)
    if not address.srv:
        found += members.checks(await members.look(address))
    database = MongoDatabase(
        settings.mongodb.get_secret_value(), settings.database_name(service), timeout_ms=members.ANSWER_MS
    )
    try:
        asked = (version, rights, writing, clock)
        found += [check for one in asked for check in await _asked(one, database)]
    finally:
        await database.close()
    return found


async def _transport(address: Address) -> list[Check]:
    if not address.tls:
        mend = (
            "let mongod require TLS and add tls=true to KITH_MONGODB (not where the network itself encrypts)"
        )
        return [Check("MongoDB TLS", False, "the connection is not encrypted", mend)]
    found = (
        []
        if address.certificate_file is None
        else [certificates.of_file("MongoDB TLS", address.certificate_file)]
    )
    if address.srv:
        return found
    places = [host.rpartition(":")[::2] if ":" in host else (host, "27017") for host in address.hosts]
    context = address.context()
    looks = (certificates.of_server("MongoDB TLS", host, int(port), context) for host, port in places)
    return found + list(await asyncio.gather(*looks))


Asked = Callable[[MongoDatabase], Awaitable[list[Check]]]


async def _asked(ask: Asked, database: MongoDatabase) -> list[Check]:
    """Run one check; a server that does not answer or refuses is a finding in itself."""
    name = f"MongoDB {ask.__name__}"
    try:
        async with asyncio.timeout(WITHIN):
            return await ask(database)
    except (PyMongoError, TimeoutError) as error:
        why = refusal(error) or type(error).__name__
        mend = (
            "mend user, password and rights in KITH_MONGODB"
            if refusal(error)
            else "mend the replica set first"
        )
        return [Check(name, False, why, mend)]


async def version(database: MongoDatabase) -> list[Check]:
    found = str((await database.client.admin.command("buildInfo"))["version"])
    ok = tuple(int(part) for part in found.split(".")[:2]) >= OLDEST
    return [Check("MongoDB version", ok, found, "" if ok else "upgrade to MongoDB 6.0 or newer")]


async def rights(database: MongoDatabase) -> list[Check]:
    """Check that the user has enough rights on its own database and none on any other."""
    status = await database.client.admin.command({"connectionStatus": 1, "showPrivileges": True})
    info = status["authInfo"]
    user = f"a user of its own with readWrite on {database.name}, and nothing else"
    if not info["authenticatedUsers"]:
        return [
            Check("MongoDB rights", False, "the server asks for no password", f"switch it on; make {user}")
        ]
    return of_privileges(database.name, info["authenticatedUserPrivileges"])


def of_privileges(own: str, privileges: list[dict[str, Any]]) -> list[Check]:
    may: set[str] = set()
    elsewhere: set[str] = set()
    for privilege in privileges:
        resource, actions = privilege["resource"], set(privilege["actions"])
        where = "every database" if resource.get("anyResource") else resource.get("db")
        if where == own and resource.get("collection") == "":
            may |= actions
        elif where is not None and where != own and actions & READING_OR_WRITING:
            elsewhere.add(where or "every database")
            may |= actions if not where else set()
    found = []
    if missing := OWN - may:
        grant = f"grant the user readWrite on {own}"
        found.append(Check("MongoDB rights", False, f"may not {', '.join(sorted(missing))} in {own}", grant))
    if elsewhere:
        take = "take those roles away: a service reads its own database only"
        found.append(Check("MongoDB rights", False, f"reaches {', '.join(sorted(elsewhere))} too", take))
    return found or [Check("MongoDB rights", True, f"{own} and nothing else")]


async def writing(database: MongoDatabase) -> list[Check]:
    """Check that a majority acknowledges a write: takes a lease and releases it at once."""
    lease = Lease(database, "doctor", holder="doctor", ttl_ms=1000)
    await lease.take()
    await lease.give_up()
    return [Check("MongoDB writing", True, "acknowledged by a majority")]


async def clock(database: MongoDatabase) -> list[Check]:
    before = datetime.now(UTC)
    theirs = await database.server_time()
    after = datetime.now(UTC)
    off = max(before - theirs, theirs - after, timedelta(0))
    return [off_by("MongoDB clock", off)]


def off_by(name: str, off: timedelta) -> Check:
    """`off` is the least possible difference between the two clocks."""
    ok = off <= TOLERANCE
    mend = "let both machines follow a time server (chrony, systemd-timesyncd); see docs/runbooks.md, clock"
    return Check(name, ok, f"{off.total_seconds():.1f} s from ours", "" if ok else mend)
