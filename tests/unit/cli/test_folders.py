"""Folders that cannot be used, and those that hold something else."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.plan import ROOT
from tests.support.ports import ports


def kith(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


@pytest.mark.skipif(sys.platform != "linux", reason="nothing can be made in /proc, by nobody")
@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_folder_that_cannot_be_made_is_said_in_a_line(command: str) -> None:
    ended = kith(command, "--data", "/proc/kith", *ports())
    assert ended.returncode == 1
    assert "/proc/kith" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_demo_deletes_no_folder_but_a_demos(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    ended = kith("demo", "--data", str(tmp_path), *ports())
    assert ended.returncode == 2
    assert "holds other things" in ended.stderr
    assert (tmp_path / "thesis.txt").exists()
    stack = tmp_path / "stack"
    (stack / "mongod").mkdir(parents=True)
    assert kith("demo", "--data", str(stack), *ports()).returncode == 2
    assert (stack / "mongod").is_dir(), "a stack without stepped time is not a demo's"
