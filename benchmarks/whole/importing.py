"""Sends referrals to a running stack: `python -m benchmarks.whole.importing TASK`."""

import asyncio
import json
import sys
from typing import Any

import httpx2

from benchmarks.whole.referrals import rows

ROWS_PER_REQUEST, AT_ONCE = 500, 2
PATIENCE_SECONDS = 120.0
TRIES, PAUSE_SECONDS = 30, 2.0
"""On a busy machine intake may answer 503; the same rows are retried and count once."""


class Refused(Exception):
    """Intake refused a part of the import."""


async def send(task: dict[str, Any]) -> None:
    """`task`: url, token, first, count, capacity. Raises `Refused`."""
    people = list(rows(task["first"], task["count"], task["capacity"]))
    parts = [people[start : start + ROWS_PER_REQUEST] for start in range(0, len(people), ROWS_PER_REQUEST)]
    headers = {"Authorization": f"Bearer {task['token']}", "Content-Type": "application/json"}
    bodies = [json.dumps({"rows": part}).encode() for part in parts]
    turn = asyncio.Semaphore(AT_ONCE)
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False, headers=headers) as client:
        await asyncio.gather(*(_send(client, turn, task["url"], body) for body in bodies))


async def _send(client: httpx2.AsyncClient, turn: asyncio.Semaphore, url: str, body: bytes) -> None:
    async with turn:
        for _ in range(TRIES):
            answer = await client.post(f"{url}/referrals/bulk", content=body)
            if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(PAUSE_SECONDS)
    if answer.status_code != httpx2.codes.OK or answer.json()["errors"]:
        raise Refused(f"{answer.status_code}: {answer.text[:300]}")


if __name__ == "__main__":
    asyncio.run(send(json.loads(sys.argv[1])))
