"""Work that no message and no request asked for, in one transaction, again when somebody was faster."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from services.alerts.store import AlertsWork
from shared.messaging.work import Conflict
from shared.mongo import is_duplicate_key

OpenWork = Callable[[], AlertsWork]
ATTEMPTS = 20


async def decided(open_work: OpenWork, decide: Callable[[AlertsWork], Awaitable[int]]) -> int:
    """Let `decide` load and save, then commit; a concurrent change makes it decide anew.

    So an acknowledgement that was committed first is seen, and nothing is decided against it. Returns what
    `decide` returned. Raises `Conflict` after twenty attempts.
    """
    for attempt in range(ATTEMPTS):
        work = open_work()
        done = await decide(work)
        if await _committed(work):
            return done
        await asyncio.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 5)))  # noqa: S311 - spreads retries
    raise Conflict("alerts")


async def _committed(work: AlertsWork) -> bool:
    try:
        await work.commit()
    except Conflict:
        return False
    except Exception as error:
        if is_duplicate_key(error):
            return False
        raise
    return True
