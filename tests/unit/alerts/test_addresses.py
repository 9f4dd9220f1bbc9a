"""Webhooks reach public addresses only (reliability.md, bad inputs, 30)."""

import pytest

from services.alerts.channels import Message, Undelivered
from services.alerts.channels.addresses import is_literal_private, is_public
from services.alerts.channels.webhook import WebhookChannel
from shared.clock import SystemClock
from tests.unit.alerts.test_policy import SECRET

MESSAGE = Message("dlv_1", ("alr_1",), "high", "https://kith.example/alerts/alr_1")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "not an address",
    ],
)
def test_private_addresses_are_refused_in_whatever_coat(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_let_through(address: str) -> None:
    assert is_public(address)


def test_a_private_host_is_seen_in_the_address_itself() -> None:
    assert is_literal_private("https://[::1]/hook")
    assert is_literal_private("https://localhost/hook")
    assert not is_literal_private("https://one.example/hook")


async def test_a_name_with_one_private_address_among_others_is_refused() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14", "10.0.0.1"]

    channel = WebhookChannel(SECRET, clock=SystemClock(), resolve=resolve)
    with pytest.raises(Undelivered, match="address_private") as refused:
        await channel.send("https://one.example/hook", MESSAGE)
    assert refused.value.for_good


@pytest.mark.parametrize(
    "to", ["http://one.example/hook", "ftp://one.example", "https://user:secret@one.example", "https://", "x"]
)
async def test_only_plain_https_addresses_are_used(to: str) -> None:
    with pytest.raises(Undelivered, match="address_invalid"):
        await WebhookChannel(SECRET, clock=SystemClock()).send(to, MESSAGE)


def test_a_message_says_nothing_about_a_person() -> None:
    assert MESSAGE.subject == "Kith alert: high"
    assert MESSAGE.text == (
        "Kith alert: high\n\nLog in to read and answer: https://kith.example/alerts/alr_1\n"
    )
