"""The version that runs is known where Kith is not installed, as in the image."""

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from deploy.embedded.plan import ROOT
from shared import metrics
from shared.metrics import running_version


@pytest.fixture(autouse=True)
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(metrics, "version", version)


def test_the_version_stands_beside_what_runs() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert running_version() == declared


@pytest.mark.parametrize("content", [None, "no [toml", "[project]\nname = 'kith'\n", "project = 1\n"])
def test_a_version_that_nobody_declares_is_unknown_and_stops_nothing(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content)
    monkeypatch.setattr(metrics, "DECLARED", tmp_path / "pyproject.toml", raising=False)
    assert running_version() == "unknown"
