"""A webhook whose name has several addresses: one that does not listen keeps nobody from being told."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from services.alerts.channels import Message, Undelivered
from services.alerts.channels.addresses import Resolve
from services.alerts.channels.webhook import WebhookChannel
from shared.clock import SystemClock
from tests.integration.alerts.receivers import hook
from tests.unit.alerts.test_policy import SECRET

MESSAGE = Message("dlv_1", ("alr_1",), "high", "https://kith.example/alerts/alr_1")
LISTENS, REFUSES = "127.0.0.1", "127.0.0.3"


def channel(*addresses: str, timeout: float = 5.0) -> WebhookChannel:
    return WebhookChannel(
        SECRET, clock=SystemClock(), allow_private=True, timeout=timeout, resolve=always(*addresses)
    )


def always(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


def named(url: str) -> str:
    return f"http://pager.example:{urlsplit(url).port}/hook"


@contextmanager
def silent(port: int) -> Iterator[str]:
    """An address whose connections are never completed: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.4", port))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.4", port))
        yield "127.0.0.4"


async def test_the_next_address_of_a_name_is_tried_where_the_first_refuses_to_connect() -> None:
    async with hook() as far_end:
        await channel(REFUSES, LISTENS).send(named(far_end.url), MESSAGE)
    assert far_end.ids == ["dlv_1"]


async def test_an_address_that_stays_silent_leaves_time_for_the_next() -> None:
    async with hook() as far_end:
        with silent(urlsplit(far_end.url).port or 0) as address:
            await channel(address, LISTENS, timeout=6.0).send(named(far_end.url), MESSAGE)
    assert far_end.ids == ["dlv_1"]


async def test_what_an_address_answered_is_not_asked_of_the_next() -> None:
    async with hook(500) as far_end:
        with pytest.raises(Undelivered, match="answered_server_error"):
            await channel(LISTENS, LISTENS).send(named(far_end.url), MESSAGE)
    assert len(far_end.bodies) == 1


async def test_an_address_that_took_the_message_and_does_not_answer_is_the_last_one_tried() -> None:
    async with hook("hang") as far_end:
        with pytest.raises(Undelivered, match="timed_out"):
            await channel(LISTENS, LISTENS, timeout=0.5).send(named(far_end.url), MESSAGE)
    assert len(far_end.bodies) == 1


async def test_where_no_address_can_be_connected_to_the_attempt_has_failed() -> None:
    async with hook() as far_end:
        with pytest.raises(Undelivered, match="connection_failed"):
            await channel(REFUSES, "127.0.0.5").send(named(far_end.url), MESSAGE)
    assert far_end.bodies == []
