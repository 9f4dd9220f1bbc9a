"""Secret addresses of calendar feeds: one per clinician, stored as a hash so that it cannot be read back.

Not part of the read model: no event announces a feed, so a rebuild could not restore it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.calendar.feed import Revision
from services.dashboard.calendar.week import Entry
from services.dashboard.store import FEEDS, STORY
from services.dashboard.web.viewer import Viewer
from shared.mongo import Document, MongoDatabase

CHANGES = ("SessionScheduled", "SessionMoved", "AppointmentCancelled", "SessionCancelled")
"""Events that count as a revision of an appointment in the calendar."""


@dataclass(frozen=True, slots=True)
class Feed:
    clinician_id: str
    clinic_id: str
    made_at: datetime


def may_keep(viewer: Viewer, clinician_id: str, clinic_id: str) -> bool:
    """Clinicians may manage their own feed, coordinators every feed of their clinic."""
    if not viewer.sees(clinic_id):
        return False
    return "coordinator" in viewer.roles or (viewer.treats and viewer.subject == clinician_id)


def secret_for(viewer: Viewer, clinician_id: str, key: str) -> str:
    """Derive 256 bits from the viewer's token and the form's key, so a form sent twice makes one address."""
    made = hmac.new(viewer.token.encode(), f"kith feed\n{clinician_id}\n{key}".encode(), hashlib.sha256)
    return urlsafe_b64encode(made.digest()).decode().rstrip("=")


async def make(database: MongoDatabase, feed: Feed, secret: str) -> None:
    """Make this the clinician's address; an earlier one stops working."""
    known = {"clinic_id": feed.clinic_id, "made_at": feed.made_at, "hash": _hash(secret)}
    await database[FEEDS].replace_one({"_id": feed.clinician_id}, known, upsert=True)


async def withdraw(database: MongoDatabase, clinician_id: str) -> bool:
    """Delete the clinician's feed; returns whether there was one."""
    found = await database[FEEDS].delete_one({"_id": clinician_id})
    return bool(found.deleted_count)


async def of(database: MongoDatabase, clinician_id: str) -> Feed | None:
    return _feed(await database[FEEDS].find_one({"_id": clinician_id}))


async def behind(database: MongoDatabase, secret: str) -> Feed | None:
    """The feed that a secret opens."""
    return _feed(await database[FEEDS].find_one({"hash": _hash(secret)}))


async def revisions(database: MongoDatabase, entries: Iterable[Entry]) -> dict[str, Revision]:
    """The latest revision of each appointment that was announced, by appointment id."""
    patients = sorted({entry.patient_id for entry in entries})
    changed: Document = {"patient_id": {"$in": patients}, "type": {"$in": list(CHANGES)}}
    counted = {"_id": "$said.appointment_id", "times": {"$sum": 1}, "at": {"$max": "$at"}}
    rows = await database.aggregate(STORY, [{"$match": changed}, {"$group": counted}])
    return {row["_id"]: Revision(row["times"] - 1, row["at"]) for row in rows}


def _feed(row: Document | None) -> Feed | None:
    return None if row is None else Feed(row["_id"], row["clinic_id"], row["made_at"])


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
