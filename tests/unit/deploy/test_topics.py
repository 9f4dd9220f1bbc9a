"""Topics and rights as code: what differs, what is mended, what is left to a person."""

import pytest
from typer.testing import CliRunner

from deploy.cli.main import application
from deploy.topics.comparing import differences, missing_rights
from deploy.topics.declared import Shape, shapes
from deploy.topics.rights import Right, commands, rights
from shared.messaging.topics import topics

ONE = Shape("intake.referrals", 12, 3, {"retention.ms": "-1", "min.insync.replicas": "2"})


def found(**changes: object) -> dict[str, Shape]:
    return {ONE.name: Shape(**{**vars(ONE), **changes})}  # type: ignore[arg-type]


def test_a_cluster_as_declared_differs_in_nothing() -> None:
    assert differences([ONE], found()) == []
    assert differences([ONE], found(replication=5)) == [], "more copies harm nobody"


@pytest.mark.parametrize(
    ("there", "what", "mend"),
    [
        ({}, "topic", "make it"),
        (found(partitions=6), "partitions", "add partitions"),
        (found(partitions=24), "partitions", ""),
        (found(replication=1), "copies", ""),
        (found(configs={**ONE.configs, "retention.ms": "604800000"}), "retention.ms", "set it"),
    ],
)
def test_a_difference_is_named_and_what_would_lose_data_is_left_to_a_person(
    there: dict[str, Shape], what: str, mend: str
) -> None:
    (difference,) = differences([ONE], there)
    assert (difference.where, difference.what, difference.mend) == (ONE.name, what, mend)


@pytest.mark.parametrize(
    ("kept", "differs"), [("-1", False), ("2000", False), ("1000", False), ("999", True)]
)
def test_retention_is_made_longer_and_never_shorter(kept: str, *, differs: bool) -> None:
    declared = Shape("intake.referrals", 12, 3, {"retention.ms": "1000"})
    assert bool(differences([declared], found(configs={"retention.ms": kept}))) is differs


def test_what_read_models_are_built_from_is_kept_for_good_and_nothing_is_compacted() -> None:
    for shape in shapes():
        assert shape.configs["cleanup.policy"] == "delete"
        read_again = "dashboard" in topics()[shape.name].consumers
        assert (shape.configs["retention.ms"] == "-1") == read_again


def test_a_copy_that_is_away_must_not_stop_announcements() -> None:
    with pytest.raises(ValueError, match="below the replication"):
        shapes(replication=3, min_insync=3)
    assert {shape.configs["min.insync.replicas"] for shape in shapes()} == {"2"}


def test_a_service_writes_only_its_own_topics_and_reads_only_what_it_reacts_to() -> None:
    held = {(r.operation, r.name) for r in rights() if r.principal == "User:scheduler"}
    assert held == {
        ("Write", "scheduler.appointments"),
        ("Write", "scheduler.due"),
        ("Write", "scheduler.dead-letters"),
        ("Read", "care-plan.plans"),
        ("Read", "scheduler."),
    }


def test_a_cluster_that_knows_no_rights_is_a_difference_that_apply_cannot_mend() -> None:
    (difference,) = missing_rights(rights(), None)
    assert (difference.found, difference.mend) == ("no authorizer", "")


def test_rights_are_also_commands_for_kafkas_own_tool() -> None:
    right = Right("User:CN=intake", "group", "intake.", "prefixed", "Read")
    (line,) = commands([right], "kafka:9093")
    assert "--allow-principal 'User:CN=intake' --operation Read --group intake." in line
    assert line.endswith("--resource-pattern-type prefixed")


def test_wrong_settings_end_the_command_with_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITH_KAFKA_SECURITY", "SASL_SSL")
    ended = CliRunner().invoke(application(), ["topics", "plan"])
    assert ended.exit_code == 2
    assert "kafka_username and kafka_password must be set" in ended.stderr


def test_a_principal_without_the_services_name_is_refused() -> None:
    assert CliRunner().invoke(application(), ["topics", "acls", "--principal", "User:all"]).exit_code == 2
