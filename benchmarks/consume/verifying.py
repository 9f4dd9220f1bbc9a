"""Verifies a side's effects from outside: plans stored, announcements in the topic, offsets committed."""

from collections.abc import Collection

from benchmarks.contenders.filling import INTAKE_TOPIC, PLAN_TOPIC, plan_id
from benchmarks.topics import Seen, Shortfall, all_committed, read
from shared.mongo import MongoDatabase

STARTED = "CarePlanStarted"


async def plans_stored(database: MongoDatabase, referrals: Collection[str]) -> None:
    """Check that each referral has one plan and there are no others. Raises `Shortfall`."""
    rows = await database["plans"].find({}, {"referral_id": 1}).to_list(None)
    same("plans", [row["referral_id"] for row in rows], referrals)


async def announced(address: str, referrals: Collection[str]) -> list[Seen]:
    """Read the announcements: exactly one for each plan, and no others. Raises `Shortfall`."""
    seen = await read(address, PLAN_TOPIC, expected=len(referrals), kind=STARTED)
    same("announcements", [message.subject for message in seen], {plan_id(id) for id in referrals})
    same("ids of announcements", [message.id for message in seen], {message.id for message in seen})
    return seen


async def acknowledged(address: str, group: str, expected: int) -> None:
    await all_committed(address, group, INTAKE_TOPIC, expected)


async def nothing_pending(database: MongoDatabase) -> None:
    """Check that every outbox row was marked as published. Raises `Shortfall`."""
    pending = await database["outbox"].count_documents({"pending": True})
    if pending:
        raise Shortfall(f"{pending} outbox rows are still marked as pending")


def same(what: str, found: Collection[str], expected: Collection[str]) -> None:
    """Raises `Shortfall` if anything is missing, foreign or duplicated."""
    distinct, wanted = set(found), set(expected)
    if distinct != wanted or len(found) != len(wanted):
        raise Shortfall(
            f"{what}: {len(wanted - distinct)} missing, {len(distinct - wanted)} foreign, "
            f"{len(found) - len(distinct)} doubled, of {len(wanted)}"
        )


async def bytes_stored(database: MongoDatabase, count: int) -> dict[str, float]:
    """Uncompressed bytes of one plan, and of everything stored per event."""
    plans = await database.db.command("collStats", "plans")
    whole = await database.db.command("dbStats")
    return {"B/plan": float(plans["avgObjSize"]), "B/event": whole["dataSize"] / count}
