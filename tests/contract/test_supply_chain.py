"""What Kith is made of is known, allowed and written down."""

import json
from pathlib import Path

import pytest

from deploy import supply_chain
from deploy.supply_chain import LICENCES, RUN, Package, locked, packages, spdx


@pytest.fixture(scope="module")
def found() -> list[Package]:
    return packages()


def test_no_package_has_a_licence_that_is_unknown_or_forbidden(found: list[Package]) -> None:
    assert [f"{p.name}: {p.licence}" for p in found if p.refused] == []


def test_every_installed_package_is_listed_as_it_is(found: list[Package]) -> None:
    assert supply_chain.unlisted(found) == [], "python -m deploy.supply_chain --write"


def test_mongods_licence_is_stated() -> None:
    assert "| MongoDB (server) | SSPL-1.0 |" in LICENCES.read_text()
    assert "SSPL-1.0 | the wheel is Apache-2.0, the mongod in it" in LICENCES.read_text()


@pytest.mark.parametrize(
    ("licence", "runs", "refused"),
    [
        ("MIT", True, False),
        ("UNKNOWN", False, True),
        ("GPL-3.0", True, True),
        ("GPL-3.0", False, False),
        ("AGPL-3.0", False, True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True, False),
        ("MIT AND GPL-3.0", True, True),
        ("GPL-3.0 OR MIT", True, False),
    ],
)
def test_a_licence_is_refused_where_no_allowed_choice_is_left(
    licence: str, runs: bool, refused: bool
) -> None:
    assert Package("anything", licence, runs=runs).refused is refused


def test_classifiers_side_by_side_are_a_choice() -> None:
    assert spdx("Apache Software License; MIT License") == "Apache-2.0 OR MIT"


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    supply_chain.write_sbom(path)
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert {supply_chain._name(part["name"]) for part in bill["components"]} == locked(RUN)
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])


def test_the_image_passes_its_lint() -> None:
    assert supply_chain.lint_image() == ""


def test_an_audit_that_could_not_be_made_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    clean, said = supply_chain.audit()
    assert clean
    assert said.startswith("not run: pip-audit is not installed")
