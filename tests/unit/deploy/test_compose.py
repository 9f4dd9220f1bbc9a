"""docker-compose.yml: no default passwords, every variable in the example file, everything confined."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import passwords
from deploy.compose.servers import SERVICES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = passwords.EXAMPLE.read_text()
OURS = (*SERVICES, "setup")


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)["services"]
    return found


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert passwords.ensure(file) == passwords.names()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_text()
    assert passwords.ensure(file) == []
    assert file.read_text() == first


def test_a_password_that_is_missing_is_added_and_the_others_are_kept(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("MONGO_ROOT_PASSWORD=kept\nINTAKE_MONGO_PASSWORD=\nPAGE_PORT=9000\n")
    assert set(passwords.ensure(file)) == set(passwords.names()) - {"MONGO_ROOT_PASSWORD"}
    lines = file.read_text().splitlines()
    assert {"MONGO_ROOT_PASSWORD=kept", "PAGE_PORT=9000"} <= set(lines)
    assert len([line for line in lines if line.startswith("INTAKE_MONGO_PASSWORD=")]) == 1


def test_two_sets_of_passwords_have_nothing_in_common() -> None:
    one, other = passwords.made(), passwords.made()
    assert len({*one.values(), *other.values()}) == 2 * len(passwords.names())
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in one.values())


@pytest.mark.parametrize("name", passwords.names())
def test_no_password_has_a_default(name: str) -> None:
    assert f"{name}=\n" in EXAMPLE
    used = re.findall(rf"\$\{{{name}([^}}]*)\}}", TEXT)
    assert used
    assert all(rest.startswith(":?") for rest in used)


def test_the_example_file_names_every_variable() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
    assert used == set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_own_user_and_its_own_database(service: str) -> None:
    uri = services()[service]["environment"]["KITH_MONGODB"]
    assert uri.startswith(f"mongodb://{service}:${{{service.upper()}_MONGO_PASSWORD:?}}@mongo:27017/")
    assert uri.endswith(f"authSource=kith_{service}")


@pytest.mark.parametrize("service", OURS)
def test_ours_run_without_rights_on_a_root_they_cannot_write(service: str) -> None:
    declared = services()[service]
    assert declared["read_only"] is True
    assert declared["cap_drop"] == ["ALL"]
    assert declared["security_opt"] == ["no-new-privileges:true"]


def test_everything_that_is_published_is_published_on_loopback() -> None:
    ports = [port for declared in services().values() for port in declared.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_the_setup_and_that_for_healthy_servers() -> None:
    waits = services()["setup"]["depends_on"]
    assert waits == {"kafka": {"condition": "service_healthy"}, "mongo": {"condition": "service_healthy"}}
    for service in SERVICES:
        condition = services()[service]["depends_on"]["setup"]["condition"]
        assert condition == "service_completed_successfully"


def test_what_is_not_needed_to_run_has_a_profile() -> None:
    profiles = {name: declared.get("profiles") for name, declared in services().items()}
    assert {name: given for name, given in profiles.items() if given} == {
        "mail": ["mail"],
        "prometheus": ["observability"],
        "grafana": ["observability"],
    }
