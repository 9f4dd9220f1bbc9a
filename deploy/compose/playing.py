"""`kith demo --against compose`: its own containers, removed with their volumes at the end."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.compose import passwords
from deploy.embedded.plan import ROOT, SERVICES

PROJECT = "kith-demo"
FILES = ("docker-compose.yml", "deploy/compose/demo.yml")
READY_SECONDS = 240
LACKS = {
    ("compose", "version"): "docker has no compose plugin here",
    ("version",): "docker's daemon does not answer",
}
"""Docker commands tried first → the message if one fails."""


class CannotPlay(Exception):
    """Docker is not there, or the containers did not become ready; the message says which."""


class Compose:
    """`docker compose` on the demo's own project, with newly generated passwords."""

    def __init__(self) -> None:
        self._environment = os.environ | passwords.made()

    def run(self, *arguments: str) -> int:
        files = [part for file in FILES for part in ("-f", str(ROOT / file))]
        command = ["docker", "compose", "-p", PROJECT, "--env-file", os.devnull, *files, *arguments]
        ran = subprocess.run(command, cwd=ROOT, env=self._environment, check=False)  # noqa: S603 (ours)
        return ran.returncode

    def require(self, what: str, *arguments: str) -> None:
        if self.run(*arguments) != 0:
            raise CannotPlay(f"{what}; see docker compose -p {PROJECT} logs")


def play_on_compose(people: int, weeks: int, seed: int, referrals: Path | None, *, keep: bool) -> int:
    """The exit status of the play. Raises `CannotPlay`."""
    _require_docker()
    compose = Compose()
    compose.require("what an earlier demo left could not be removed", "down", "-v", "--remove-orphans")
    compose.require("the image could not be built", "build", "setup")
    up = ("up", "-d", "--wait", "--wait-timeout", str(READY_SECONDS), *SERVICES)
    try:
        compose.require("the services did not become ready", *up)
        return compose.run(*_played(people, weeks, seed, referrals))
    finally:
        if not keep:
            compose.run("down", "-v")


def _require_docker() -> None:
    """Check that docker works before it is used. Raises `CannotPlay`."""
    for asked, lacks in LACKS.items():
        try:
            command = ["docker", *asked]
            ran = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 (ours)
        except OSError:
            raise CannotPlay("docker is not here: install it with its compose plugin") from None
        if ran.returncode != 0:
            raise CannotPlay(f"{lacks}: `docker {' '.join(asked)}` says why")


def _played(people: int, weeks: int, seed: int, referrals: Path | None) -> Sequence[str]:
    numbers = ("--people", str(people), "--weeks", str(weeks), "--seed", str(seed))
    terminal = () if sys.stdin.isatty() else ("-T",)
    if referrals is None:
        return ("run", "--rm", "--use-aliases", *terminal, "demo", *numbers)
    inside = f"/referrals/{referrals.name}"
    shared = ("-v", f"{referrals.resolve()}:{inside}:ro")
    return ("run", "--rm", "--use-aliases", *terminal, *shared, "demo", *numbers, "--referrals", inside)
