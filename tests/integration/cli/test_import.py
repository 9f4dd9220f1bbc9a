"""`kith import` into a running stack."""

import csv
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.embedded.state import running_state
from shared.mongo import MongoDatabase
from tests.integration.cli.conftest import Running
from tests.support.eventually import eventually

ANSWERS = Path(__file__).parents[4] / "shared" / "data" / "nhanes_2017_2018_dpq.csv"
HEADER = "source_system,external_id,given_name,age,crisis,phq9_1\n"


def table(path: Path, system: str, count: int) -> Path:
    path.write_text(HEADER + "".join(f"{system},r{n},Ada {n},41,,1\n" for n in range(count)))
    return path


def counts(output: str) -> dict[str, int]:
    """The summary's lines, by name."""
    lines = [line.rsplit(maxsplit=1) for line in output.splitlines() if line.startswith("  ")]
    return {name.strip(): int(count.replace(",", "")) for name, count in lines}


def test_the_same_file_twice_makes_nothing_twice(stack: Running, tmp_path: Path) -> None:
    path, before = table(tmp_path / "people.csv", "twice", 600), stack.count("referral", "expected")
    first = stack.kith("import", path, "--report", tmp_path / "report.csv")
    assert first.exit_code == 0, first.output
    assert counts(first.stdout)["created"] == 600
    again = stack.kith("import", path, "--report", tmp_path / "report.csv")
    assert again.exit_code == 0
    assert counts(again.stdout) == {
        "created": 0,
        "updated": 0,
        "unchanged": 600,
        "to be mended": 0,
        "crisis flags raised": 0,
    }
    assert stack.count("referral", "expected") == before + 600
    assert not (tmp_path / "report.csv").exists()


def test_a_report_never_takes_the_place_of_another_file(stack: Running, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("external_id,age\nA,forty\n")
    told = stack.kith("import", path, "--report", path)
    assert told.exit_code == 2
    assert "is no report of ours" in told.output
    assert path.read_text() == "external_id,age\nA,forty\n"


def test_wrong_rows_are_reported_by_code_and_keep_no_other_out(stack: Running, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        HEADER + "wrong,w1,Ada,41,,1\nwrong,w2,Grace,forty-one,yes,1\nwrong,w3,Mary,41,,\nwrong,,Joan,41,,9\n"
    )
    flags = stack.count("crisis_flag", "expected")
    told = stack.kith("import", path, "--report", tmp_path / "report.csv")
    assert told.exit_code == 1
    assert counts(told.stdout)["created"] == 2
    assert counts(told.stdout)["to be mended"] == 2
    with (tmp_path / "report.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[1] == ["2", "age:int_type", "Write a whole number in age."]
    assert {line[0] for line in lines[2:]} == {"4"}
    assert "Grace" not in (tmp_path / "report.csv").read_text() + told.output
    assert stack.count("crisis_flag", "expected") == flags + 1, "a crisis in a refused row is heard"
    assert counts(told.stdout)["crisis flags raised"] == 1
    assert "988" in told.stdout


def test_a_mended_file_imports_the_rest_and_empties_the_report(stack: Running, tmp_path: Path) -> None:
    path, report = tmp_path / "people.csv", tmp_path / "report.csv"
    path.write_text(HEADER + "mended,m1,Ada,41,,1\nmended,m2,Grace,forty-one,,1\n")
    assert stack.kith("import", path, "--report", report).exit_code == 1
    path.write_text(path.read_text().replace("forty-one", "41"))
    told = stack.kith("import", path, "--report", report)
    assert told.exit_code == 0
    assert (counts(told.stdout)["created"], counts(told.stdout)["unchanged"]) == (1, 1)
    assert report.read_text().splitlines() == ["row,code,what to mend"]


def test_objects_that_strict_json_refuses_are_single_errors(stack: Running, tmp_path: Path) -> None:
    path = tmp_path / "people.ndjson"
    fine = '{"source_system": "objects", "external_id": "o%d", "person": {}}\n'
    bad = [
        '"note": NaN',
        '"note": "\\u0000"',
        '"age": 1e400',
        '"age": 99999999999999999999',
        '"note": "\\ud800"',
    ]
    wrong = [
        f'{{"source_system": "objects", "external_id": "x{n}", "person": {{}}, {part}}}\n'
        for n, part in enumerate(bad)
    ]
    path.write_text(fine % 1 + "".join(wrong) + "{\n" + fine % 2)
    told = stack.kith("import", path, "--report", tmp_path / "report.csv")
    assert told.exit_code == 1
    assert counts(told.stdout)["created"] == 2
    assert counts(told.stdout)["to be mended"] == len(bad) + 1


async def some_are_in(stack: Running, system: str) -> None:
    """Until the first are stored: asked of the database, which answers sooner than the rest is sent."""
    state = running_state(stack.data)
    assert state is not None
    database = MongoDatabase(state.mongodb, "kith_intake")
    await eventually(lambda: database["referrals"].find_one({"system": system}), within=60)
    await database.close()


async def test_an_intake_killed_in_the_middle_costs_no_row_and_doubles_none(
    stack: Running, tmp_path: Path
) -> None:
    path, before = table(tmp_path / "people.csv", "killed", 2000), stack.count("referral", "expected")
    state = running_state(stack.data)
    assert state is not None
    with ThreadPoolExecutor(1) as thread:
        importing = thread.submit(stack.kith, "import", path, "--report", tmp_path / "report.csv")
        await some_are_in(stack, "killed")
        os.kill(state.services["intake"].pid, signal.SIGKILL)
        told = importing.result()
    assert told.exit_code == 0, told.output
    assert counts(told.stdout)["created"] == 2000
    assert stack.count("referral", "expected") == before + 2000


async def test_an_interrupted_import_goes_on_when_it_is_run_again(stack: Running, tmp_path: Path) -> None:
    path, before = table(tmp_path / "people.csv", "interrupted", 3000), stack.count("referral", "expected")
    process = stack.process("import", path, "--report", tmp_path / "report.csv")
    await some_are_in(stack, "interrupted")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, output + errors
    assert "run it again" in errors
    assert counts(output)["not confirmed"] > 0
    again = stack.kith("import", path, "--report", tmp_path / "report.csv")
    assert again.exit_code == 0, again.output
    assert counts(again.stdout)["created"] + counts(again.stdout)["unchanged"] == 3000
    assert stack.count("referral", "expected") == before + 3000


def test_an_unknown_clinic_is_every_row_s_error(stack: Running, tmp_path: Path) -> None:
    path = table(tmp_path / "people.csv", "nowhere", 3)
    told = stack.kith("import", path, "--clinic", "atlantis", "--report", tmp_path / "report.csv")
    assert told.exit_code == 1
    assert (tmp_path / "report.csv").read_text().count("Name a clinic that exists") == 3


def test_a_clinic_that_cannot_be_one_ends_the_import(stack: Running, tmp_path: Path) -> None:
    path = table(tmp_path / "people.csv", "nowhere", 3)
    told = stack.kith("import", path, "--clinic", "a b", "--report", tmp_path / "report.csv")
    assert told.exit_code == 2
    assert "intake: Unprocessable" in told.stderr


def test_a_report_that_cannot_be_written_is_said_before_anything_is_sent(
    stack: Running, tmp_path: Path
) -> None:
    path, before = table(tmp_path / "people.csv", "unwritten", 3), stack.count("referral", "expected")
    told = stack.kith("import", path, "--report", tmp_path / "no" / "report.csv")
    assert told.exit_code == 2
    assert "cannot be written" in told.stderr
    assert stack.count("referral", "expected") == before


@pytest.mark.skipif(not ANSWERS.exists(), reason="the survey's answers are not on this machine")
def test_the_survey_s_real_answers_import_whole(stack: Running, tmp_path: Path) -> None:
    told = stack.kith("import", ANSWERS, "--format", "nhanes", "--report", tmp_path / "report.csv")
    assert told.exit_code == 0, told.output
    assert counts(told.stdout)["created"] == 2772
    assert counts(told.stdout)["crisis flags raised"] == 107
