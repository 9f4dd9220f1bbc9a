"""Ports and settings of a development stack."""

import socket
from pathlib import Path

import pytest

from deploy.embedded.plan import PAGE, SERVICES, Plan, Ports, UnknownSetting, chosen_settings
from deploy.embedded.ports import PortTaken, PortTwice, free_ports
from services.alerts.settings import AlertsSettings
from services.dashboard.settings import DashboardSettings
from shared.settings import Settings


def test_services_listen_above_the_base_unless_told_otherwise() -> None:
    ports = Ports.above(9000, alerts=1234)
    services = {"intake": 9001, "care_plan": 9002, "scheduler": 9003, "alerts": 1234}
    assert ports.services == {"dashboard": 9000, **services}
    assert (ports.mongod, ports.kafka) == (27117, 19092)


def test_a_taken_port_is_named_with_the_option_that_changes_it() -> None:
    first = free_ports(7)
    ports = Ports.above(first, mongod=first + 5, kafka=first + 6)
    ports.require_free()
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", first + 2))
        rival.listen()
        with pytest.raises(
            PortTaken, match=rf"port {first + 2} \(care_plan\).*--care-plan-port or --port-base"
        ):
            ports.require_free()


def test_a_port_given_to_two_of_ours_is_named_with_both_options() -> None:
    with pytest.raises(PortTwice, match=r"mongod and intake.*8201.*--mongod-port or --intake-port"):
        Ports.above(8200, mongod=8201).require_free()
    with pytest.raises(PortTwice, match=r"intake and alerts.*--intake-port.*or --alerts-port"):
        Ports.above(8200, alerts=8201).require_free()


def test_a_setting_may_be_for_one_service_or_for_all() -> None:
    assert chosen_settings(["log_level=DEBUG", "alerts.smtp=a=b"]) == {
        "*": {"log_level": "DEBUG"},
        "alerts": {"smtp": "a=b"},
    }


@pytest.mark.parametrize("text", ["log_level", "=DEBUG", "nobody.log_level=DEBUG", "intake.=1"])
def test_a_setting_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UnknownSetting, match="NAME=VALUE"):
        chosen_settings([text])


OWN: dict[str, type[Settings]] = {"alerts": AlertsSettings, PAGE: DashboardSettings}
"""Services with settings besides everybody's."""


@pytest.mark.parametrize(
    ("service", "kind"),
    [(name, OWN.get(name, Settings)) for name in (*SERVICES, PAGE)],
)
def test_the_environment_of_a_service_is_what_settings_accept(
    service: str, kind: type[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITH_NOT_OURS", "ignored")
    plan = Plan(tmp_path, Ports.above(9000), tmp_path / "clock", {"*": {"log_level": "DEBUG"}})
    environment = plan.environment(service, mongodb="mongodb://127.0.0.1:1", kafka="127.0.0.1:2")
    assert "KITH_NOT_OURS" not in environment
    for name in ("KITH_NOT_OURS", *environment):
        if name.startswith("KITH_"):
            monkeypatch.setenv(name, environment[name]) if name in environment else monkeypatch.delenv(name)
    settings = kind.load()
    assert settings.environment == "development"
    assert settings.embedded_broker
    assert settings.http_port == plan.ports.services[service]
    assert settings.clock_file == tmp_path / "clock"
    assert settings.log_level == "DEBUG"
    assert settings.clinics_file.is_file()
