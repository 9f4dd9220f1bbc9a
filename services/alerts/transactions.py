"""Work outside of messages and requests: one transaction, retried after a concurrent change."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from services.alerts.store import AlertsWork
from shared.messaging.work import Conflict
from shared.mongo import is_duplicate_key

OpenWork = Callable[[], AlertsWork]
ATTEMPTS = 20


async def decided(open_work: OpenWork, decide: Callable[[AlertsWork], Awaitable[int]]) -> int:
    """Let `decide` load and save, then commit. After a concurrent change, reload and decide again.

    An acknowledgement that committed first is thus seen, and no decision ignores it. Returns the result of
    `decide`. Raises `Conflict` after twenty attempts.
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
