"""The commands that need no running stack."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli.main import application
from deploy.embedded.clock import stands_at, stepped_clock
from deploy.embedded.keys import ensure_keys
from deploy.embedded.plan import Plan, Ports
from deploy.embedded.state import StackState, locked
from shared.auth import Verifier, from_file


def kith(*arguments: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(application(), [str(argument) for argument in arguments], input=answer)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = Plan(tmp_path / "data", Ports.above(9000))
    ensure_keys(plan.signing_key, plan.jwks)
    return plan


def test_help_loads_no_driver_and_no_broker_client() -> None:
    asked = "import sys, deploy.cli.main as m; m.application(); print([*sys.modules])"
    command = [sys.executable, "-c", asked]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    for slow in ("motor", "pymongo", "aiokafka", "faststream", "fastapi", "httpx2", "pydantic"):
        assert f"'{slow}'" not in loaded, slow


def test_the_signing_key_is_for_its_owners_eyes_only(plan: Plan) -> None:
    assert plan.signing_key.stat().st_mode & 0o777 == 0o600
    assert '"d"' not in plan.jwks.read_text()


def test_a_key_once_made_stays(plan: Plan) -> None:
    before = plan.signing_key.read_bytes()
    ensure_keys(plan.signing_key, plan.jwks)
    assert plan.signing_key.read_bytes() == before


async def test_a_token_says_who_may_do_what_and_where(plan: Plan) -> None:
    given = kith(
        *("token", "--data", plan.data, "--role", "clinician"),
        *("--clinic", "riverside", "--subject", "cln_r01"),
    )
    verifier = Verifier(from_file(plan.jwks), issuer="kith", audience="kith", development=True)
    caller = await verifier.caller(given.stdout.strip())
    assert (caller.subject, caller.roles, caller.clinic) == ("cln_r01", frozenset({"clinician"}), "riverside")


def test_a_role_nobody_has_is_refused(plan: Plan) -> None:
    assert kith("token", "--data", plan.data, "--role", "root").exit_code == 2


def test_a_clinic_that_no_verifier_would_take_is_refused(plan: Plan) -> None:
    refused = kith("token", "--data", plan.data, "--role", "clinician", "--clinic", "a b")
    assert refused.exit_code == 2
    assert "--clinic" in refused.stderr


def test_without_a_key_there_is_no_token(tmp_path: Path) -> None:
    refused = kith("token", "--data", tmp_path, "--role", "engineer")
    assert refused.exit_code == 1
    assert "kith up" in refused.stderr


def test_reset_asks_first_and_a_no_keeps_everything(plan: Plan) -> None:
    assert kith("reset", "--data", plan.data, answer="n\n").exit_code == 1
    assert plan.signing_key.exists()


def test_reset_deletes_what_a_stack_made_and_nothing_else(plan: Plan) -> None:
    (plan.data / "letter.txt").write_text("not ours")
    assert kith("reset", "--data", plan.data, "--yes").exit_code == 0
    assert [path.name for path in plan.data.iterdir()] == ["letter.txt"]


def test_reset_removes_a_folder_that_held_only_ours(plan: Plan) -> None:
    assert kith("reset", "--data", plan.data, answer="y\n").exit_code == 0
    assert not plan.data.exists()
    assert "Nothing to delete" in kith("reset", "--data", plan.data).stdout


def test_reset_and_a_second_up_are_refused_while_a_stack_runs(plan: Plan) -> None:
    with locked(plan.data):
        for command in (["reset", "--yes"], ["up"]):
            refused = kith(*command, "--data", plan.data)
            assert refused.exit_code == 1
            assert "already running" in refused.stderr
            assert str(plan.data) in refused.stderr.replace("\n", "")
    assert plan.signing_key.exists()


@pytest.mark.parametrize("command", ["status", "down"])
def test_commands_about_a_running_stack_say_when_there_is_none(command: str, tmp_path: Path) -> None:
    refused = kith(command, "--data", tmp_path)
    assert refused.exit_code == 1
    assert "no stack is running" in refused.stderr


def test_doctor_finds_nothing_missing_here(tmp_path: Path) -> None:
    told = kith("doctor", "--data", tmp_path, "--skip-ports")
    assert told.exit_code == 0, told.stdout
    assert "mongod" in told.stdout


def test_doctor_names_what_is_missing_and_ends_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    told = kith("doctor", "--data", tmp_path, "--skip-ports", "--quiet")
    assert told.exit_code == 1
    assert "mend it with: pip install --require-hashes -r requirements/run.txt" in told.stdout
    assert "ok" not in told.stdout.split()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "2026-01-05T09:00:00-05:00"], "--clock stepped"),
        (["--clock", "stepped", "--start", "2026-01-05T09:00:00"], "with its offset"),
        (["--set", "nonsense"], "NAME=VALUE"),
    ],
)
def test_up_refuses_options_that_cannot_be_meant(arguments: list[str], message: str, tmp_path: Path) -> None:
    refused = kith("up", "--data", tmp_path, *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr


def a_state(data: Path, clock_file: Path | None) -> StackState:
    return StackState(
        pid=os.getpid(),
        data=data,
        started=datetime.now(UTC),
        mongodb="",
        kafka="",
        clock_file=clock_file,
        jwks=data,
        signing_key=data,
        services={},
        servers={},
    )


def test_the_time_of_a_stack_is_shown_and_moved_where_it_is_stepped(tmp_path: Path) -> None:
    start = datetime(2026, 1, 5, 14, tzinfo=UTC)
    a_state(tmp_path, stepped_clock(tmp_path, start)).save()
    with locked(tmp_path):
        assert "Mon 05 Jan 2026 14:00:00 UTC, stepped" in kith("clock", "--data", tmp_path).stdout
        moved = kith("clock", "advance", "6h", "--data", tmp_path)
        assert moved.exit_code == 0, moved.output
        assert stands_at(tmp_path) == start + timedelta(hours=6)
        assert kith("clock", "--data", tmp_path, "advance", "1d").exit_code == 0
        assert stands_at(tmp_path) == start + timedelta(hours=30)
        for wrong in ("6", "h", "-1d", "0d", "1y", "99999d"):
            assert kith("clock", "advance", "--data", tmp_path, "--", wrong).exit_code == 2
        assert stands_at(tmp_path) == start + timedelta(hours=30)


def test_the_systems_time_is_shown_and_never_moved(tmp_path: Path) -> None:
    a_state(tmp_path, None).save()
    with locked(tmp_path):
        assert "the system's" in kith("clock", "--data", tmp_path).stdout
        refused = kith("clock", "advance", "1d", "--data", tmp_path)
    assert refused.exit_code == 1
    assert "cannot be moved" in refused.stderr


def test_stepped_time_never_goes_back(tmp_path: Path) -> None:
    start = datetime(2026, 1, 5, 14, tzinfo=UTC)
    stepped_clock(tmp_path, start)
    stepped_clock(tmp_path, None)
    assert stands_at(tmp_path) == start
    refused = kith(
        "up", "--data", tmp_path, "--clock", "stepped", "--start", (start - timedelta(1)).isoformat()
    )
    assert refused.exit_code == 1
    assert "cannot go back" in refused.stderr


def test_help_is_quick() -> None:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "deploy.cli", "--help"], capture_output=True, check=True)
    assert time.monotonic() - begun < 2.0
