"""Many open pages: `python -m benchmarks.page.viewing TASK`. Each loads the caseload, follows `/live`, and
fetches every region of its page anew as `regions.js` does. What they did is reported in a file.
"""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from html import unescape
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

SPACING = 1.0
"""As `regions.js` has it: a region is fetched at most once in so many seconds."""

REPORT_SECONDS = 0.1
FRAGMENT = {"X-Fragment": "1"}
REGION = re.compile(r'<[^>]*\bdata-live-src="([^"]+)"[^>]*>')
PERSON = "data-patient="


@dataclass
class Seen:
    """Of all pages together, since they were opened. `full`: pages that have shown somebody."""

    pages: int = 0
    regions: int = 0
    events: int = 0
    fetches: int = 0
    full: int = 0

    @classmethod
    def read(cls, report: Path) -> "Seen":
        return cls(**json.loads(report.read_text())) if report.exists() else cls()

    def write(self, report: Path) -> None:
        """All or nothing: somebody reads it meanwhile."""
        draft = report.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(report)


def regions(markup: str) -> list[str]:
    """Addresses of a page's regions; those of single people and alerts, which it does not have, left out."""
    return [unescape(m[1]) for m in REGION.finditer(markup) if "data-live-for" not in m[0]]


@dataclass
class Page:
    """One open page."""

    client: httpx2.AsyncClient
    seen: Seen
    marks: list[asyncio.Event] = field(default_factory=list)
    is_full: bool = False

    async def stay_open(self, tasks: asyncio.TaskGroup) -> None:
        """Until it is killed. Raises `httpx2.HTTPStatusError`, `ConnectionError` when `/live` ends."""
        page = await self.client.get("/")
        page.raise_for_status()
        async with self.client.stream("GET", "/live") as stream:
            stream.raise_for_status()
            for address in regions(page.text):
                self.marks.append(mark := asyncio.Event())
                tasks.create_task(self._keep(address, mark))
            self.seen.regions += len(self.marks)
            self.seen.pages += 1
            await self._follow(stream)
        raise ConnectionError("/live has ended")

    async def _follow(self, stream: httpx2.Response) -> None:
        async for line in stream.aiter_lines():
            if line.strip() == "event: change":
                self.seen.events += 1
                for mark in self.marks:
                    mark.set()

    async def _keep(self, address: str, mark: asyncio.Event) -> None:
        while True:
            await mark.wait()
            mark.clear()
            begun = monotonic()
            answer = await self.client.get(address, headers=FRAGMENT)
            answer.raise_for_status()
            self.seen.fetches += 1
            if not self.is_full and PERSON in answer.text:
                self.is_full, self.seen.full = True, self.seen.full + 1
            await asyncio.sleep(max(0.0, begun + SPACING - monotonic()))


async def open_pages(url: str, tokens: Sequence[str], report: Path) -> None:
    """A page for each token. Runs until killed, or until one of them fails."""
    limits, seen = httpx2.Limits(max_connections=None, max_keepalive_connections=None), Seen()
    async with AsyncExitStack() as clients, asyncio.TaskGroup() as tasks:
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            client = httpx2.AsyncClient(
                base_url=url, headers=headers, timeout=None, limits=limits, trust_env=False
            )
            page = Page(await clients.enter_async_context(client), seen)
            tasks.create_task(page.stay_open(tasks))
        while True:
            seen.write(report)
            await asyncio.sleep(REPORT_SECONDS)


if __name__ == "__main__":
    task: dict[str, Any] = json.loads(sys.argv[1])
    asyncio.run(open_pages(task["url"], task["tokens"], Path(task["report"])))
