"""`kith doctor --prod`: what must not go into production is named with the setting that mends it."""

import json
from pathlib import Path

import aiosmtplib
import pytest
from typer.testing import CliRunner, Result

from deploy.cli.main import application
from deploy.doctor import keys, ways_out
from deploy.doctor.reading import read, read_environment
from deploy.embedded.ports import LOOPBACK, free_ports
from services.alerts.settings import AlertsSettings
from shared.auth import new_development_key, public_jwks
from tests.unit.alerts.cases import SHIPPED

GOOD = {
    "KITH_KAFKA_SECURITY": "SSL",
    "KITH_JWKS": "https://identity.example/jwks.json",
    "KITH_MONGODB": "mongodb://intake:secret@mongo-1:27017/?replicaSet=rs0&tls=true",
}


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(application(), ["doctor", "--prod", *arguments])


def findings(service: str, **changes: str) -> list[str]:
    _, checks = read(service, GOOD | changes)
    return [f"{check.name}: {check.found}" for check in checks if not check.ok]


def test_a_service_that_would_start_in_production_is_well() -> None:
    settings, checks = read("intake", GOOD)
    assert settings is not None
    assert all(check.ok for check in checks)


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("KITH_ENVIRONMENT", "development", "environment: development"),
        ("KITH_EMBEDDED_BROKER", "true", "embedded_broker"),
        ("KITH_JWKS", "/keys/jwks.json", "development keys are refused"),
        ("KITH_CLOCK_FILE", "/tmp/clock", "clock_file"),  # noqa: S108 (never opened)
        ("KITH_KAFKA_SECURITY", "PLAINTEXT", "SASL_SSL"),
        ("KITH_BATCH_RECORDS", "a lot", "KITH_BATCH_RECORDS"),
        ("KITH_BACTH_RECORDS", "5", "KITH_BACTH_RECORDS"),
        ("KITH_CLINICS_FILE", "/nowhere.json", "/nowhere.json"),
        ("KITH_MONGODB", "http://mongo", "mongodb is no address"),
    ],
)
def test_each_setting_that_must_not_be_is_named(setting: str, value: str, found: str) -> None:
    assert found in "\n".join(findings("intake", **{setting: value}))


def test_alerts_needs_a_way_to_wake_people_and_the_page_no_development_key() -> None:
    assert "no channel besides the inbox" in "\n".join(
        findings("alerts", KITH_PUBLIC_URL="https://kith.example")
    )
    assert "development_key" in "\n".join(findings("dashboard", KITH_DEVELOPMENT_KEY="/signing/key.json"))


def test_who_is_on_call_for_no_clinic_is_named(tmp_path: Path) -> None:
    policy = json.loads(SHIPPED.read_text())
    policy["clinics"]["rivreside"] = [{"id": "con_x", "subject": "sub_x", "roles": ["on_call"]}]
    (tmp_path / "on_call.json").write_text(json.dumps(policy))
    check = ways_out.rosters(_alerts(on_call_file=tmp_path / "on_call.json"))
    assert (check.ok, check.found) == (False, "no clinic of the clinics file: rivreside")
    assert ways_out.rosters(_alerts()).ok


def test_no_value_is_repeated() -> None:
    assert "hunter2" not in repr(read("intake", GOOD | {"KITH_MONGODB": "mongodb://a:hunter2@:x/"}))


def test_development_keys_and_keys_of_other_kinds_are_refused() -> None:
    (development,) = public_jwks(new_development_key())["keys"]
    named = [check.found for check in keys.of_keys([development]) if not check.ok]
    assert "a development key is among them" in named
    assert not keys.of_keys([{"kty": "RSA", "kid": "one", "n": "…", "e": "AQAB"}])[0].ok
    (check,) = keys.of_keys([development | {"kid": "one"}])
    assert (check.ok, check.found) == (True, "1 usable")


def test_an_environment_file_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "intake.env"
    file.write_text("# a comment\nKITH_INSTANCE=intake-1\nPATH=/nowhere\nKITH_TOKEN_ISSUER=$HOME\n")
    assert read_environment(file) == {"KITH_INSTANCE": "intake-1", "KITH_TOKEN_ISSUER": "$HOME"}


def test_findings_are_for_programs_too_and_the_exit_status_tells(tmp_path: Path) -> None:
    file = tmp_path / "intake.env"
    file.write_text(
        "\n".join(f"{name}={value}" for name, value in (GOOD | {"KITH_EMBEDDED_BROKER": "1"}).items())
    )
    told = doctor("--service", "intake", "--env-file", str(file), "--json")
    assert told.exit_code == 1
    (finding,) = [row for row in json.loads(told.stdout) if not row["ok"]]
    assert "embedded_broker" in finding["found"]
    said = doctor("--service", "intake", "--env-file", str(file))
    assert "mend it with:" in said.stdout


def test_whose_environment_it_is_must_be_said() -> None:
    refused = doctor()
    assert refused.exit_code == 2
    assert "--service" in refused.stderr


async def test_a_mail_server_is_knocked_at_without_sending() -> None:
    from aiosmtpd.controller import Controller

    class NoMail:
        async def handle_DATA(self, *_: object) -> str:  # noqa: N802 (the name aiosmtpd calls)
            raise AssertionError("nothing is to be sent")

    controller = Controller(NoMail(), hostname=LOOPBACK, port=free_ports(1))
    controller.start()
    try:
        assert (await ways_out.mail(_mail_at(controller.port))).ok
    finally:
        controller.stop()
    check = await ways_out.mail(_mail_at(controller.port))
    assert check.found.endswith(aiosmtplib.SMTPConnectError.__name__)


def _mail_at(port: int) -> AlertsSettings:
    return _alerts(smtp_host=LOOPBACK, smtp_port=port, smtp_tls="none")


def _alerts(**chosen: object) -> AlertsSettings:
    return AlertsSettings.model_validate({"environment": "development", "jwks": "unused"} | chosen)
