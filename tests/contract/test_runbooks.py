"""Whoever is woken finds what to do: every alert and every hint of the doctor leads to a section."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
RULES = sorted((ROOT / "deploy/observability/rules").glob("*.yml"))
SECTIONS = {
    re.sub(r"[^a-z0-9 -]", "", title.lower()).strip().replace(" ", "-")
    for title in re.findall(r"^#+ (.+)$", RUNBOOKS, re.MULTILINE)
}
ALERTS = [name for rules in RULES for name in re.findall(r"- alert: (\w+)", rules.read_text())]


def test_there_are_alerts_to_answer() -> None:
    assert ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_section(alert: str) -> None:
    assert alert.lower() in SECTIONS


def test_every_address_of_a_runbook_leads_somewhere() -> None:
    named = {a for rules in RULES for a in re.findall(r"docs/runbooks\.md#([\w-]+)", rules.read_text())}
    assert named <= SECTIONS


def test_every_section_about_an_alert_has_its_alert() -> None:
    assert {section for section in SECTIONS if section.startswith("kith")} <= {a.lower() for a in ALERTS}


def test_what_the_doctor_refers_to_is_there() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "deploy/doctor").glob("*.py"))
    named = re.findall(r'docs/runbooks\.md, ([a-z ]+)"', code)
    assert named
    assert {name.replace(" ", "-") for name in named} <= SECTIONS
