"""docker-compose.yml: no default passwords, every variable in the example file, everything confined."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import passwords
from deploy.compose.receiving import telephone
from deploy.compose.servers import SERVICES
from deploy.topics.rights import rights
from deploy.watchdog.clinic import CLINIC, write_files
from services.alerts.app import build_channels, read_on_call
from services.alerts.settings import AlertsSettings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = passwords.EXAMPLE.read_text()
OURS = (*SERVICES, "setup", "watchdog", "receiver")


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
    assert set(used) == {":?run python3 -m deploy.compose secrets"}, "whoever lacks it is told what makes it"


def test_the_example_file_names_every_variable() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
    assert used == set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_own_user_and_its_own_database(service: str) -> None:
    uri = services()[service]["environment"]["KITH_MONGODB"]
    assert re.match(
        rf"mongodb://{service}:\$\{{{service.upper()}_MONGO_PASSWORD:\?[^}}]+\}}@mongo:27017/", uri
    )
    assert uri.endswith(f"authSource=kith_{service}")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_own_user_in_kafka(service: str) -> None:
    given = services()[service]["environment"]
    assert given["KITH_KAFKA_SECURITY"] == "SASL_PLAINTEXT"
    assert given["KITH_KAFKA_USERNAME"] == service
    assert given["KITH_KAFKA_PASSWORD"].startswith(f"${{{service.upper()}_KAFKA_PASSWORD:?")


def test_the_users_of_kafka_are_those_whose_rights_are_declared() -> None:
    assert {right.principal for right in rights()} == {f"User:{service}" for service in SERVICES}


@pytest.mark.parametrize("name", ["KAFKA_ADMIN_PASSWORD", "MONGO_ROOT_PASSWORD"])
def test_only_its_server_and_the_setup_are_given_an_administrators_password(name: str) -> None:
    given = {service for service, declared in services().items() if name in str(declared.get("environment"))}
    assert given == {"setup", name.partition("_")[0].lower()}


def test_kafka_listens_to_nobody_it_does_not_know() -> None:
    kafka = services()["kafka"]["environment"]
    protocols = dict(pair.split(":") for pair in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    reached = {
        protocols[name]
        for name, host in (place.split("://") for place in kafka["KAFKA_LISTENERS"].split(","))
        if not host.startswith("localhost:")
    }
    assert reached == {"SASL_PLAINTEXT"}
    assert kafka["KAFKA_SASL_ENABLED_MECHANISMS"] == "SCRAM-SHA-512"
    assert "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND" not in kafka


def test_the_watchdogs_clinic_is_in_both_files_with_one_receiver(tmp_path: Path) -> None:
    clinics, on_call = write_files(tmp_path, telephone())
    environment = services()["alerts"]["environment"]
    secret = environment["KITH_WEBHOOK_SECRET"].partition("$")[0] + passwords.made()["WEBHOOK_SECRET"]
    settings = AlertsSettings(
        environment="development",
        jwks="jwks.json",
        clinics_file=clinics,
        on_call_file=on_call,
        webhook_secret=secret,
        allow_private_webhooks=True,
    )
    roster = read_on_call(settings).policy.clinics[CLINIC]
    assert [contact.address("webhook") for contact in roster] == ["http://receiver:8080/pages/con_watchdog"]
    assert set(build_channels(settings, read_on_call(settings).policy)) == {"webhook"}


def test_prometheus_scrapes_every_process_of_ours() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())["scrape_configs"]
    targets = {t for job in scraped for group in job["static_configs"] for t in group["targets"]}
    assert targets == {f"{service}:8000" for service in (*SERVICES, "watchdog")}


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
        "watchdog": ["watchdog"],
        "receiver": ["watchdog"],
        "mail": ["mail"],
        "prometheus": ["observability"],
        "grafana": ["observability"],
    }
