"""The image, built as CI builds it, and the next version of it."""

import subprocess
from pathlib import Path

from deploy.embedded.plan import ROOT
from tests.support.next_version import next_version

IMAGE, NEXT = "kith:test", "kith:test-next"
BUILD_SECONDS, RUN_SECONDS = 900, 120


def docker(*arguments: str, within: float = RUN_SECONDS) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  (a fixed program, our own arguments)
        ["docker", *arguments],  # noqa: S607  (wherever the engine's client is)
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def build_image() -> str:
    """Layers that are there already are used."""
    return _build(IMAGE, "--network", "host", "-f", "deploy/Dockerfile", ".")


def build_next(folder: Path) -> str:
    """The image with the next version's code (see `next_version`) as a layer over it."""
    tree = next_version(folder)
    (tree / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY services services\n")
    return _build(NEXT, str(tree))


def _build(name: str, *arguments: str) -> str:
    built = docker("build", "-t", name, *arguments, within=BUILD_SECONDS)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return name
