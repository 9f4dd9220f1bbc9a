"""The on-call policy, the clinics and the settings: what is refused before it goes into service."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.alerts.app import build, build_channels, read_on_call
from services.alerts.channels.apprise import ChannelUnavailable
from services.alerts.channels.webhook import is_strong
from services.alerts.clinics import read_clinic_hours
from services.alerts.domain.policy import OnCallPolicy, Span
from services.alerts.settings import AlertsSettings
from shared.process import to_mend
from tests.unit.alerts.cases import HOURS, MONDAY, NIGHT, SHIPPED

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


def shipped() -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(SHIPPED.read_text())
    return policy


def settings(**given: Any) -> AlertsSettings:
    defaults: dict[str, Any] = {"environment": "development", "jwks": "keys.json"}
    return AlertsSettings(**defaults | given)


def with_channel(tmp_path: Path, **address: str) -> dict[str, Any]:
    policy = shipped()
    policy["clinics"]["riverside"][0]["channels"] = [address]
    path = tmp_path / "on_call.json"
    path.write_text(json.dumps(policy))
    return {"on_call_file": path}


def channels_of(given: AlertsSettings) -> set[str]:
    return set(build_channels(given, read_on_call(given).policy))


def test_the_shipped_policy_says_what_clinical_md_says() -> None:
    high = OnCallPolicy.model_validate(shipped()).clinical.high
    assert [step.wait.minutes for step in high.steps] == [0, 5, 5, 5]
    assert [step.roles[0] for step in high.steps[1:]] == ["backup", "supervisor", "everyone"]
    assert (high.acknowledge.minutes, high.lease.minutes) == (5, 30)
    assert high.contact is not None
    assert high.contact.minutes == 60
    assert OnCallPolicy.model_validate(shipped()).clinical.moderate.acknowledge.minutes == 30


def test_an_empty_roster_is_refused() -> None:
    policy = shipped()
    policy["clinics"]["riverside"] = []
    with pytest.raises(ValidationError, match="roster of riverside is empty"):
        OnCallPolicy.model_validate(policy)


def test_a_ladder_that_does_not_end_with_everyone_is_refused() -> None:
    policy = shipped()
    policy["clinical"]["high"]["steps"].pop()
    with pytest.raises(ValidationError, match="last step must page everyone"):
        OnCallPolicy.model_validate(policy)


def test_a_contact_that_stands_twice_is_refused() -> None:
    policy = shipped()
    policy["engineers"].append(policy["clinics"]["riverside"][0])
    with pytest.raises(ValidationError, match="stands twice"):
        OnCallPolicy.model_validate(policy)


def test_a_clinic_without_roster_is_refused(tmp_path: Path) -> None:
    policy = shipped()
    del policy["clinics"]["lakeside"]
    path = tmp_path / "on_call.json"
    path.write_text(json.dumps(policy))
    with pytest.raises(ValueError, match="no roster for lakeside"):
        read_on_call(settings(on_call_file=path))


def test_what_is_not_fit_for_service_is_said_in_one_line_each_and_no_address_is_repeated(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    for given, said in (
        (
            with_channel(tmp_path, kind="pigeon", to="https://secret.example"),
            "clinics.riverside.0.channels.0.kind: Input should be 'email', 'webhook' or",
        ),
        (with_channel(tmp_path / "a", kind="email", to="one@example.org"), "on_call_file has e-mail"),
        ({"on_call_file": tmp_path / "none.json"}, "cannot read"),
    ):
        with pytest.raises((ValueError, OSError)) as refused:
            build(settings(**given))
        (line,) = to_mend(refused.value)
        assert line.startswith(said), line
        assert "secret.example" not in line


PRODUCTION = {"environment": "production", "jwks": "https://id.example/keys", "kafka_plaintext_allowed": True}


def test_production_refuses_people_whom_only_the_inbox_reaches() -> None:
    safe = {**PRODUCTION, "public_url": "https://k.example"}
    with pytest.raises(ValueError, match="no channel besides the inbox for con_e01"):
        read_on_call(settings(**safe))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"allow_private_webhooks": True}, "allow_private_webhooks"),
        ({"public_url": "http://k.example"}, "public_url"),
        ({"smtp_host": "mail.example", "smtp_tls": "none"}, "smtp_tls"),
    ],
)
def test_production_refuses_what_is_for_development(given: dict[str, Any], said: str) -> None:
    safe = {**PRODUCTION, "public_url": "https://k.example"}
    with pytest.raises(ValidationError, match=said):
        settings(**safe | given)


def test_an_address_whose_channel_is_not_set_up_is_refused(tmp_path: Path) -> None:
    mail = with_channel(tmp_path, kind="email", to="one@example.org")
    with pytest.raises(ValueError, match="smtp_host must be set"):
        channels_of(settings(**mail))
    assert channels_of(settings(**mail, smtp_host="mail.example")) == {"email"}
    hook = with_channel(tmp_path, kind="webhook", to="https://one.example/hook")
    with pytest.raises(ValueError, match="webhook_secret"):
        channels_of(settings(**hook, webhook_secret="changeme"))
    assert channels_of(settings(**hook, webhook_secret=SECRET)) == {"webhook"}


def test_a_webhook_at_a_private_address_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    hook = with_channel(tmp_path, kind="webhook", to="https://169.254.169.254/latest")
    with pytest.raises(ValueError, match="private address"):
        channels_of(settings(**hook, webhook_secret=SECRET))


def test_apprise_is_an_extra_and_says_so_when_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(ChannelUnavailable, match=r"install kith\[channels\]"):
        channels_of(settings(**with_channel(tmp_path, kind="apprise", to="json://one.example")))


@pytest.mark.parametrize("secret", ["", "changeme", "whsec_c2hvcnQ=", "whsec_not base64"])
def test_a_weak_webhook_secret_is_refused(secret: str) -> None:
    assert not is_strong(secret)
    assert is_strong(SECRET)


def test_a_span_is_one_kind_of_time() -> None:
    with pytest.raises(ValidationError):
        Span.model_validate({"minutes": 5, "working_days": 1})
    assert Span(end_of_day=True).after(MONDAY, HOURS) == datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    assert Span(working_days=1).after(NIGHT, HOURS) == datetime(2026, 3, 3, 22, 0, tzinfo=UTC)


def test_clinic_hours_skip_weekends_and_holidays_and_follow_daylight_saving() -> None:
    friday_evening = datetime(2026, 3, 6, 23, 0, tzinfo=UTC)
    assert HOURS.next_open(friday_evening) == datetime(2026, 3, 9, 13, 0, tzinfo=UTC)
    before_the_holiday = datetime(2026, 7, 2, 22, 0, tzinfo=UTC)
    assert HOURS.next_open(before_the_holiday) == datetime(2026, 7, 6, 13, 0, tzinfo=UTC)
    assert HOURS.next_open(MONDAY) == MONDAY


def test_the_shipped_clinics_know_their_holidays() -> None:
    hours = read_clinic_hours(SHIPPED.with_name("clinics.json"))["riverside"]
    assert not hours.is_working_day(date(2026, 11, 26))
    assert hours.is_working_day(date(2026, 11, 25))
