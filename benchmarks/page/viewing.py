"""Many open pages: `python -m benchmarks.page.viewing TASK`. Each loads the caseload, follows `/live`, and
refetches every region of its page as `regions.js` does. Their counts are reported in a file.

This one process makes hundreds of requests a second, so it speaks HTTP itself: a client library would use
more CPU than the page being measured.
"""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import unescape
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import uvloop

SPACING = 1.0
"""Least seconds between fetches of a region, as in `regions.js`."""

REPORT_SECONDS = 0.1
CHANGE, PERSON = b"event: change", b"data-patient="
REGION = re.compile(r'<[^>]*\bdata-live-src="([^"]+)"[^>]*>')
NARROWER = re.compile(r"data-live-(for|on)=")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass
class Seen:
    """Totals over all pages since they were opened. `full`: pages that have shown a person."""

    pages: int = 0
    regions: int = 0
    events: int = 0
    fetches: int = 0
    full: int = 0

    @classmethod
    def read(cls, report: Path) -> "Seen":
        return cls(**json.loads(report.read_text())) if report.exists() else cls()

    def write(self, report: Path) -> None:
        """Write atomically: the benchmark reads it meanwhile."""
        draft = report.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(report)


def regions(markup: str) -> list[str]:
    """Addresses of the regions that any person's change refreshes, not those of one person or of alerts."""
    return [unescape(m[1]) for m in REGION.finditer(markup) if not NARROWER.search(m[0])]


@dataclass
class Line:
    """One connection, used for one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def to(cls, url: str, token: str) -> "Line":
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        return cls(reader, writer, f"Host: {place.netloc}\r\nAuthorization: Bearer {token}\r\n")

    async def get(self, address: str, *more: str) -> bytes:
        """The body of the answer. Raises `ConnectionError` unless it is 200 with a Content-Length."""
        async with self.turn:
            length = LENGTH.search(await self.ask(address, *more))
            if length is None:
                raise ConnectionError(f"{address} was answered without a length")
            return await self.reader.readexactly(int(length[1]))

    async def ask(self, address: str, *more: str) -> bytes:
        """Send a request; return the answer's head. Raises `ConnectionError` unless it is 200."""
        lines = "".join(f"{line}\r\n" for line in more)
        self.writer.write(f"GET {address} HTTP/1.1\r\n{self.head}{lines}\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"{address} was answered {head[:40]!r}")
        return head


@dataclass
class Page:
    """One open page, with a line for requests and one for `/live`."""

    requests: Line
    live: Line
    seen: Seen
    marks: list[asyncio.Event] = field(default_factory=list)
    is_full: bool = False

    async def stay_open(self, tasks: asyncio.TaskGroup) -> None:
        """Run until killed. Raises `ConnectionError`, also when `/live` ends."""
        page = await self.requests.get("/", "Accept: text/html")
        await self.live.ask("/live", "Accept: text/event-stream")
        for address in regions(page.decode()):
            self.marks.append(mark := asyncio.Event())
            tasks.create_task(self._keep(address, mark))
        self.seen.regions += len(self.marks)
        self.seen.pages += 1
        async for line in self.live.reader:
            if line.strip() == CHANGE:
                self.seen.events += 1
                for mark in self.marks:
                    mark.set()
        raise ConnectionError("/live has ended")

    async def _keep(self, address: str, mark: asyncio.Event) -> None:
        while True:
            await mark.wait()
            mark.clear()
            begun = monotonic()
            markup = await self.requests.get(address, "X-Fragment: 1")
            self.seen.fetches += 1
            if not self.is_full and PERSON in markup:
                self.is_full, self.seen.full = True, self.seen.full + 1
            await asyncio.sleep(max(0.0, begun + SPACING - monotonic()))


async def open_pages(url: str, tokens: Sequence[str], report: Path) -> None:
    """Open a page for each token. Runs until killed, or until a page fails."""
    seen = Seen()
    async with asyncio.TaskGroup() as tasks:
        for token in tokens:
            page = Page(await Line.to(url, token), await Line.to(url, token), seen)
            tasks.create_task(page.stay_open(tasks))
        while True:
            seen.write(report)
            await asyncio.sleep(REPORT_SECONDS)


if __name__ == "__main__":
    task: dict[str, Any] = json.loads(sys.argv[1])
    uvloop.run(open_pages(task["url"], task["tokens"], Path(task["report"])))
