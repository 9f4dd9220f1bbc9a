"""One whole stack for these tests, and `kith` as people call it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from deploy.cli.main import application
from deploy.embedded.keys import development_token
from deploy.embedded.plan import ROOT
from deploy.embedded.state import running_state
from tests.support.ports import ports


@dataclass(frozen=True)
class Running:
    """A running stack, as somebody at its command line has it."""

    data: Path

    def kith(self, *arguments: str | Path) -> Result:
        """In a thread: the command brings an event loop of its own."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(CliRunner().invoke, application(), self._command(*arguments)).result()

    def process(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """The same as a process that can be interrupted, also where the tests themselves are not to be."""
        command = [sys.executable, "-m", "deploy.cli", *self._command(*arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (no threads here)
        )

    def _command(self, *arguments: str | Path) -> list[str]:
        return [*(str(argument) for argument in arguments), "--data", str(self.data)]

    def ask(self, method: str, service: str, path: str, *, role: str = "coordinator", **request: Any) -> Any:
        state = running_state(self.data)
        assert state is not None
        token = development_token(state.signing_key, role)
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx2.request(method, state.url(service) + path, headers=headers, timeout=30, **request)
        assert answer.is_success, answer.text
        return answer.json()

    def count(self, kind: str, column: str) -> int:
        """What intake's books say."""
        entries = self.ask("GET", "intake", "/books", role="engineer")["entries"]
        return sum(row["count"] for row in entries if (row["kind"], row["column"]) == (kind, column))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("cli") / "data")
    command = [sys.executable, "-m", "deploy.cli", "up", "--detach", "--data", str(running.data), *ports()]
    started = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield running
    finally:
        running.kith("down")
