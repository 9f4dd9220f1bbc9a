"""The requirement files that every installation comes from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "run.txt": [*PROJECT["dependencies"], *EXTRAS["embedded"], "setuptools"],
    "dev.txt": [*PROJECT["dependencies"], *EXTRAS["embedded"], *EXTRAS["dev"], "setuptools"],
}


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _locked(file: str) -> dict[str, str]:
    """Name → everything the file says about it, on one line."""
    text = (ROOT / "requirements" / file).read_text().replace("\\\n", " ")
    return {_name(line): line for line in text.splitlines()}


@pytest.mark.parametrize("file", WANTED)
def test_every_declared_dependency_is_locked(file: str) -> None:
    assert {_name(requirement) for requirement in WANTED[file]} <= set(_locked(file))


@pytest.mark.parametrize("file", WANTED)
def test_every_line_pins_a_version_and_its_hashes_and_names_no_address(file: str) -> None:
    for line in _locked(file).values():
        assert re.match(r"[a-z0-9-]+==\S+", line), line
        assert "--hash=sha256:" in line
        assert "://" not in line
        assert not line.startswith("-")


def test_what_runs_is_what_was_tested() -> None:
    tested = _locked("dev.txt")
    for name, line in _locked("run.txt").items():
        assert tested[name] == line
