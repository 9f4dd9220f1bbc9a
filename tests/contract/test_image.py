"""One image holds every service: each imports only itself and `shared`, and finds the files it reads."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from deploy.embedded.plan import PAGE, SERVICES
from shared.metrics import DECLARED
from shared.settings import Settings
from tests.support import containers

ROOT = Path(__file__).parents[2]
GRAPH = grimp.build_graph("services", "shared", "deploy", cache_dir=None)


def closure(package: str) -> set[str]:
    """All our modules that running `package` may load, however far away."""
    own = {package} | GRAPH.find_descendants(package)
    return own.union(*(GRAPH.find_upstream_modules(module) for module in own))


def owner(module: str) -> str:
    """`services.<name>`, or the top-level package."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "services" else parts[0]


@pytest.mark.parametrize("service", [*SERVICES, PAGE])
def test_a_service_reaches_only_itself_and_shared(service: str) -> None:
    package = f"services.{service}"
    assert f"{package}.__main__" in GRAPH.modules
    assert {owner(module) for module in closure(package)} - {"services"} == {package, "shared"}


def test_shared_reaches_nothing_but_itself() -> None:
    assert {owner(module) for module in closure("shared")} == {"shared"}


def test_every_service_is_looked_at() -> None:
    found = {path.parent.name for path in ROOT.glob("services/*/__main__.py")}
    assert found == {*SERVICES, PAGE}


@pytest.mark.parametrize("folder", ["services", "shared", "deploy"])
def test_the_image_gets_every_package(folder: str) -> None:
    assert f"COPY {folder} {folder}" in (ROOT / "deploy/Dockerfile").read_text().splitlines()
    assert f"!{folder}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_version_is_declared_in_the_image_beside_what_runs() -> None:
    assert "COPY pyproject.toml README.md ./" in (ROOT / "deploy/Dockerfile").read_text().splitlines()
    assert "!pyproject.toml" in (ROOT / ".dockerignore").read_text().splitlines()
    assert DECLARED == ROOT / "pyproject.toml"


def test_files_named_by_default_are_in_the_image() -> None:
    clinics = Settings.model_fields["clinics_file"].default
    assert clinics.parts[0] == "deploy"
    assert (ROOT / clinics).is_file()


@pytest.mark.parametrize("image", [containers.KAFKA, containers.MONGO])
def test_container_tests_use_the_images_of_the_compose_file(image: str) -> None:
    assert f"    image: {image}" in (ROOT / "docker-compose.yml").read_text().splitlines()


def test_the_dockerfile_is_as_its_linter_wants_it() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(  # noqa: S603  (installed with the tests)
        [linter, ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")
