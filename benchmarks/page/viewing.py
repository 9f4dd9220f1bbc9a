"""Many open pages: `python -m benchmarks.page.viewing TASK`. Each follows `/live` and fetches its part."""

import asyncio
import json
import sys
from time import monotonic
from typing import Any

import httpx2

PART = "/parts/caseload"
SPACING = 1.0
"""As kith.js has it: a part is fetched at most once a second."""


async def open_pages(task: dict[str, Any]) -> None:
    """`task`: url, tokens (one for each page), opened (a file that says how many are). Runs until killed."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    count = 0

    async def page(token: str) -> None:
        nonlocal count
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(
                base_url=task["url"], headers=headers, timeout=None, limits=limits, trust_env=False
            ) as client,
            client.stream("GET", "/live") as stream,
        ):
            stream.raise_for_status()
            count += 1
            await asyncio.to_thread(_say, task["opened"], count)
            await _follow(client, stream)

    await asyncio.gather(*(page(token) for token in task["tokens"]))


def _say(path: str, count: int) -> None:
    with open(path, "w") as file:
        file.write(str(count))


async def _follow(client: httpx2.AsyncClient, stream: httpx2.Response) -> None:
    last = 0.0
    async for line in stream.aiter_lines():
        if line.strip() == "event: change" and monotonic() - last >= SPACING:
            last = monotonic()
            (await client.get(PART, headers={"X-Fragment": "1"})).raise_for_status()


if __name__ == "__main__":
    asyncio.run(open_pages(json.loads(sys.argv[1])))
