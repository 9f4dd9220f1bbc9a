"""Catalogue lines 5 to 9 and 18 over a real socket: sizes, times and encodings of bodies."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from tests.support.http_sample import sample_app
from tests.support.http_wire import Wire, serving, wire

JSON = "Content-Type: application/json"
LIMIT = 262_144


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    async with serving(sample_app(body_seconds=0.3)) as port:
        yield port


@pytest.fixture
async def line(port: int) -> AsyncIterator[Wire]:
    async with wire(port) as line:
        yield line


async def still_healthy(port: int) -> bool:
    async with wire(port) as line:
        await line.begin("GET", "/health/live")
        return (await line.answer()).status == 200


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(line: Wire, port: int) -> None:
    await line.begin("POST", "/entries", JSON, f"Content-Length: {LIMIT + 1}")
    await line.send(b" " * (LIMIT + 1))
    answer = await line.answer()
    assert (answer.status, answer.json()["reason"]) == (413, "body_too_large")
    assert await line.closed()
    assert await still_healthy(port)


async def test_a_body_of_exactly_the_limit_is_read(line: Wire) -> None:
    await line.begin("POST", "/entries", JSON, f"Content-Length: {LIMIT}")
    await line.send(b"{" + b" " * (LIMIT - 2) + b"}")
    assert (await line.answer()).status == 422


async def test_a_chunked_body_is_refused_in_mid_stream(line: Wire, port: int) -> None:
    await line.begin("POST", "/entries", JSON, "Transfer-Encoding: chunked")
    await send_chunks(line, 5)
    answer = await line.answer()
    assert answer.status == 413
    assert await line.closed()
    assert await still_healthy(port)


async def test_a_chunked_body_without_end_is_cut_off(line: Wire, port: int) -> None:
    await line.begin("POST", "/entries", JSON, "Transfer-Encoding: chunked")
    with pytest.raises(OSError, match=r".*"):
        await send_chunks(line, 40 * LIMIT // 0x10000)
    assert await still_healthy(port)


async def send_chunks(line: Wire, count: int) -> None:
    for _ in range(count):
        await asyncio.wait_for(line.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n"), 5)


async def test_a_trickled_body_is_answered_with_408(line: Wire, port: int) -> None:
    await line.begin("POST", "/entries", JSON, "Content-Length: 100")

    async def trickle() -> None:
        for _ in range(100):
            await line.send(b" ")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    answer = await line.answer()
    trickling.cancel()
    assert (answer.status, answer.json()["reason"]) == (408, "body_too_slow")
    assert "connection: close" in answer.headers
    assert await still_healthy(port)


async def test_a_compressed_bomb_is_refused_unopened(line: Wire) -> None:
    bomb = gzip.compress(b" " * 100_000_000, 9)[:100_000]
    await line.begin("POST", "/entries", JSON, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
    await line.send(bomb)
    answer = await line.answer()
    assert (answer.status, answer.json()["reason"]) == (415, "content_encoding_unsupported")


async def test_a_body_without_a_token_is_refused_unread(port: int) -> None:
    async with wire(port) as line:
        head = f"POST /entries HTTP/1.1\r\nHost: sample\r\n{JSON}\r\nContent-Length: 100\r\n\r\n"
        await line.send(head.encode())
        assert (await line.answer()).status == 401
    assert await still_healthy(port)


async def test_a_client_that_leaves_in_mid_body_harms_nobody(port: int) -> None:
    async with wire(port) as line:
        await line.begin("POST", "/entries", JSON, "Content-Length: 100")
        await line.send(b"{")
    assert await still_healthy(port)


async def test_a_connection_serves_on_after_a_refused_request(line: Wire) -> None:
    for path, status in {"/entries/e1": 200, "/nowhere": 404, "/engine": 403, "/entries": 200}.items():
        await line.begin("GET", path)
        assert (await line.answer()).status == status
    await line.begin("POST", "/entries", JSON, "Content-Length: 2")
    await line.send(b"{]")
    assert (await line.answer()).status == 400
    await line.begin("GET", "/entries")
    assert (await line.answer()).status == 200


@pytest.mark.parametrize("path", ["/entries/../engine", "/entries/%00", "/entries/" + "a" * 10_240])
async def test_a_path_nothing_can_be_at_is_answered_with_404_as_it_was_sent(line: Wire, path: str) -> None:
    await line.begin("GET", path)
    assert (await line.answer()).status == 404


async def test_a_bulk_route_takes_as_much_as_it_says(line: Wire) -> None:
    lines = b"{}\n" * 200_000
    await line.begin("POST", "/lines", "Content-Type: application/x-ndjson", f"Content-Length: {len(lines)}")
    await line.send(lines)
    answer = await line.answer()
    assert (answer.status, answer.json()) == (200, 200_000)
