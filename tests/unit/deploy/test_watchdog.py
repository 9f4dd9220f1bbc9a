"""The watchdog outlives whatever its heartbeat's address does, and refuses at the start what is none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from deploy.embedded.plan import ROOT
from deploy.watchdog.beating import _say_so
from deploy.watchdog.metrics import HEARTBEATS
from deploy.watchdog.settings import WatchdogSettings


def settings(address: str) -> WatchdogSettings:
    return WatchdogSettings(heartbeat_url=SecretStr(address), token_file=Path("token"))


@pytest.mark.parametrize("address", ["https://uptime.example/b/1\n", " https://uptime.example/b/1\r\n"])
def test_what_stands_around_an_address_in_its_file_does_no_harm(address: str) -> None:
    assert settings(address).heartbeat_url.get_secret_value() == "https://uptime.example/b/1"


def test_without_an_address_there_is_no_heartbeat() -> None:
    assert settings("\n").heartbeat_url.get_secret_value() == ""


@pytest.mark.parametrize(
    "address",
    [
        "uptime.example/b",
        "ftp://uptime.example/b",
        "https://",
        "https://a.example/\nb",
        "http://a.example:b/",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValidationError, match="an http or https address") as refused:
        settings(address)
    (problem,) = refused.value.errors(include_input=False)
    assert problem["loc"] == ("heartbeat_url",)
    assert address not in problem["msg"]


def test_the_watchdog_ends_at_the_start_and_names_the_setting() -> None:
    given = {"KITH_WATCHDOG_HEARTBEAT_URL": "uptime.example", "KITH_WATCHDOG_TOKEN_FILE": "token"}
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.watchdog"],
        env=os.environ | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "KITH_WATCHDOG_HEARTBEAT_URL: " in ended.stderr
    assert "uptime.example" not in ended.stderr


@pytest.mark.parametrize(
    "error", [httpx2.InvalidURL("wrong"), httpx2.ConnectError("away"), ValueError("odd")]
)
async def test_whatever_a_heartbeat_raises_the_next_round_comes(error: Exception) -> None:
    class Broken:
        async def get(self, address: str) -> Any:
            raise error

    before = HEARTBEATS.labels("unreachable")._value.get()
    await _say_so(settings("https://uptime.example/b/1"), cast(httpx2.AsyncClient, Broken()))
    assert HEARTBEATS.labels("unreachable")._value.get() == before + 1
