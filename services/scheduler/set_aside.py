"""A stored schedule that cannot be read or decided upon: set aside, and people are told.

It no longer waits for anything, so the others go on. An engineer mends the document and sets `waiting`
again; until then it shows as an open dead letter with the reason.
"""

import structlog

from services.scheduler.store import SCHEDULES, SchedulerWork
from shared.messaging import dead_letters
from shared.mongo import Txn

log = structlog.get_logger()

GROUP = "scheduler.due"


async def schedule(work: SchedulerWork, id: str, error: str) -> None:
    """Take one schedule out of the ticker's way, with a dead letter in the same transaction."""
    stored = await work.database[SCHEDULES].find_one({"_id": id}) or {}
    letter = dead_letters.MessageDeadLettered(
        patient_id=_text(stored.get("patient_id")),
        clinic_id=_text(stored.get("clinic_id")),
        dead_letter_id=f"{GROUP}:{id}:{work.now:%Y%m%dT%H%M%S}",
        service=work.service,
        group=GROUP,
        origin=SCHEDULES,
        partition=0,
        offset=0,
        reason=f"failed_{error}",
        type=None,
        crisis=False,
        set_aside_at=work.now,
    )
    row = {
        "_id": letter.dead_letter_id,
        "state": "open",
        "group": GROUP,
        "reason": letter.reason,
        "crisis": False,
        "at": work.now,
        "epoch": "",
        "about": {"id": id},
        "topic": SCHEDULES,
        "partition": 0,
        "offset": 0,
        "timestamp": 0,
        "key": None,
        "value": None,
        "headers": [],
    }

    async def write(txn: Txn) -> None:
        await work.database[SCHEDULES].update_one({"_id": id}, {"$set": {"waiting": False}}, session=txn)
        await work.database[dead_letters.COLLECTION].insert_one(row, session=txn)

    work.also(write)
    work.announce(
        letter,
        subject=letter.dead_letter_id,
        sequence=1,
        topic=dead_letters.topic_of(work.service),
    )
    log.error("schedule set aside", schedule_id=id, reason=letter.reason)
    await work.commit()


def _text(value: object) -> str:
    return value if isinstance(value, str) and value else "unknown"
