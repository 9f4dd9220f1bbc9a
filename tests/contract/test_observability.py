"""What is watched is what the code measures; the rules do what they say."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

import deploy.watchdog.metrics
import services.alerts.metrics
import shared.metrics
from deploy.observability.dashboards import FOLDER, written
from deploy.observability.panels import DASHBOARDS

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy/observability"
RULES = sorted((OBSERVABILITY / "rules").glob("*.rules.yml"))
TESTS = sorted((OBSERVABILITY / "rules/tests").glob("*.yml"))
EXPRESSIONS = re.compile(r"\b(?:kith|process)[a-z_]*:?[a-z_]+\b(?=[\s{\[)]|$)")
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
FROM_THE_LIBRARY = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def labels() -> dict[str, set[str]]:
    """The series the code makes, each with its labels."""
    modules = (shared.metrics, services.alerts.metrics, deploy.watchdog.metrics)
    metrics = [m for module in modules for m in vars(module).values() if isinstance(m, MetricWrapperBase)]
    return {m._name + suffix: set(m._labelnames) for m in metrics for suffix in SUFFIXES[m._type]}


def rules() -> list[dict[str, object]]:
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def expressions() -> dict[str, str]:
    """Where → PromQL, of every rule and panel."""
    found = {str(rule.get("alert", rule.get("record"))): str(rule["expr"]) for rule in rules()}
    for name in DASHBOARDS:
        for panel in json.loads((FOLDER / f"{name}.json").read_text())["panels"]:
            for target in panel["targets"]:
                found[f"{name}: {panel['title']}: {target['legendFormat']}"] = target["expr"]
    return found


def unknown(places: dict[str, str]) -> list[str]:
    """`place: name` for every series that nobody makes, and label that its series does not have."""
    recorded = {str(rule["record"]) for rule in rules() if "record" in rule}
    known = labels().keys() | recorded | FROM_THE_LIBRARY
    wrong = []
    for place, expression in places.items():
        wrong += [f"{place}: {name}" for name in EXPRESSIONS.findall(expression) if name not in known]
        for name, selected in re.findall(r"(kith_\w+)\{([^}]*)\}", expression):
            asked = set(re.findall(r"(\w+)\s*[=!]", selected)) - {"le"}
            wrong += [f"{place}: {name}{{{one}}}" for one in asked - labels().get(name, asked)]
    return wrong


def promtool(*arguments: str | Path) -> None:
    """Raises with what it said when it is not content."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not here (Debian: apt-get install --no-install-recommends prometheus)")
    done = subprocess.run(  # noqa: S603
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration_and_every_rule() -> None:
    promtool("check", "config", OBSERVABILITY / "prometheus.yml")
    promtool("check", "rules", *RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rules_do_what_they_say(path: Path) -> None:
    promtool("test", "rules", path)


def test_a_rule_that_is_wrong_fails_its_test(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not here")
    (tmp_path / "tests").mkdir()
    text = (OBSERVABILITY / "rules/crisis.rules.yml").read_text()
    (tmp_path / "crisis.rules.yml").write_text(text.replace('lane="crisis"}) > 15', 'lane="crisis"}) > 1500'))
    (tmp_path / "tests/crisis.yml").write_text((OBSERVABILITY / "rules/tests/crisis.yml").read_text())
    with pytest.raises(AssertionError, match="KithCrisisOutboxStuck"):
        promtool("test", "rules", tmp_path / "tests/crisis.yml")


def test_every_alert_has_a_test() -> None:
    tested = "\n".join(path.read_text() for path in TESTS)
    assert [
        rule["alert"] for rule in rules() if "alert" in rule and f"alertname: {rule['alert']}" not in tested
    ] == []


def test_every_alert_says_what_it_is_how_severe_it_is_and_what_to_do() -> None:
    for rule in rules():
        if "alert" not in rule:
            continue
        annotations, severity = rule["annotations"], rule["labels"]
        assert isinstance(annotations, dict)
        assert isinstance(severity, dict)
        assert severity["severity"] in ("page", "ticket", "heartbeat"), rule["alert"]
        assert annotations["summary"]
        assert annotations["description"]
        assert annotations["runbook"] == f"docs/runbooks.md#{str(rule['alert']).lower()}"


def test_rules_and_dashboards_use_only_what_the_code_measures() -> None:
    assert len(expressions()) > 50
    assert unknown(expressions()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "max(kith_outbox_oldest_secs) > 1",
        "rate(kith_batch_seconds[5m])",
        'kith_consumer_lag{topic="x"}',
        "kith:books_diff > 0",
    ],
)
def test_a_name_that_nobody_measures_is_noticed(wrong: str) -> None:
    assert unknown({"planted": wrong})


def test_the_dashboards_are_what_the_code_says() -> None:
    for name in DASHBOARDS:
        assert (FOLDER / f"{name}.json").read_text() == written(name), (
            "run python -m deploy.observability.dashboards"
        )


def test_every_service_is_scraped() -> None:
    scraped = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in scraped for group in job["static_configs"] for target in group["targets"]}
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("intake", "care_plan", "scheduler", "alerts", "dashboard"):
        assert name in composed
        assert f"{name}:8000" in targets


def test_no_metric_has_a_label_for_who_it_is_about() -> None:
    of_people = {"patient", "patient_id", "clinic", "clinic_id", "contact", "contact_id", "by", "subject"}
    assert {name: found & of_people for name, found in labels().items() if found & of_people} == {}
