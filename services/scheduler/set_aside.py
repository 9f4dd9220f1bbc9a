"""Sets aside a stored schedule or roster that cannot be read or decided on, and reports it.

It is no longer queued for its ticker, so the others go on. An engineer repairs the document and sets its
`waiting` (a roster's `rechecking`) again. Until then it shows as an open dead letter with the reason.
"""

import structlog

from services.scheduler.store import ROSTERS, SCHEDULES, SchedulerWork
from shared.errors import Refused
from shared.messaging import dead_letters
from shared.mongo import Txn

log = structlog.get_logger()


async def schedule(work: SchedulerWork, id: str, reason: str) -> None:
    """Hide one schedule from the announcing ticker."""
    await _set_aside(work, SCHEDULES, id, "waiting", "scheduler.due", reason)


async def roster(work: SchedulerWork, id: str, reason: str) -> None:
    """Hide one clinician's leave from the rechecking ticker."""
    await _set_aside(work, ROSTERS, id, "rechecking", "scheduler.leave", reason)


def reason_of(error: Exception) -> str:
    """The name of the error, without any of the values that caused it."""
    return error.reason if isinstance(error, Refused) else f"failed_{type(error).__name__}"


async def _set_aside(
    work: SchedulerWork, collection: str, id: str, waits: str, group: str, reason: str
) -> None:
    """`waits`: the field that queues a document for its ticker, cleared when its dead letter is stored."""
    stored = await work.database[collection].find_one({"_id": id}) or {}
    letter = dead_letters.MessageDeadLettered(
        patient_id=_text(stored.get("patient_id")),
        clinic_id=_text(stored.get("clinic_id")),
        dead_letter_id=f"{group}:{id}:{work.now:%Y%m%dT%H%M%S}",
        service=work.service,
        group=group,
        origin=collection,
        partition=0,
        offset=0,
        reason=reason,
        type=None,
        crisis=False,
        set_aside_at=work.now,
    )
    row = {
        "_id": letter.dead_letter_id,
        "state": "open",
        "group": group,
        "reason": letter.reason,
        "crisis": False,
        "at": work.now,
        "epoch": "",
        "about": {"id": id},
        "topic": collection,
        "partition": 0,
        "offset": 0,
        "timestamp": 0,
        "key": None,
        "value": None,
        "headers": [],
    }

    async def write(txn: Txn) -> None:
        await work.database[collection].update_one({"_id": id}, {"$set": {waits: False}}, session=txn)
        await work.database[dead_letters.COLLECTION].insert_one(row, session=txn)

    work.also(write)
    work.announce(
        letter,
        subject=letter.dead_letter_id,
        sequence=1,
        topic=dead_letters.topic_of(work.service),
    )
    log.error("set aside", collection=collection, id=id, reason=letter.reason)
    await work.commit()


def _text(value: object) -> str:
    return value if isinstance(value, str) and value else "unknown"
