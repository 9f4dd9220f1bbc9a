"""What is to be mended: codes and advice, nothing that stands in a row."""

import csv
from pathlib import Path

import pytest

from deploy.cli.importing.report import advice, shown, write
from services.intake.importing import Format
from shared.import_advice import ADVICE


@pytest.mark.parametrize(
    ("code", "format", "told"),
    [
        ("person.birth_date:date_in_the_future", "csv", "The day in birth_date is in the future."),
        (
            "person.external_id:string_pattern_mismatch",
            "csv",
            "Characters or length of person_id are not allowed.",
        ),
        ("screening.phq9.items.3:literal_error", "csv", "Write 0 to 3, refused or dont_know in phq9_4."),
        ("screening.phq9.items.3:literal_error", "nhanes", "Use one of the allowed values in DPQ040."),
        (
            "screening.phq9.items.3:int_type",
            "ndjson",
            "Write 0 to 3, refused or dont_know in screening.phq9.items.3.",
        ),
        ("person.birth_date:date_form", "csv", "Write a day like 1984-05-23 in birth_date."),
        ("history.conditions.0:literal_error", "csv", "Use one of the allowed values in conditions."),
        ("external_id:missing", "nhanes", "Fill in SEQN."),
        ("history.episodes:less_than_equal", "csv", "The value in episodes is too large."),
        ("cells:extra_forbidden", "csv", "The row has more or fewer cells than the header."),
        ("person_differs", "csv", ADVICE["person_differs"]),
        ("row:extra_forbidden", "ndjson", "Leave out what is not known in the row, or check its spelling."),
        ("clinic_id:unknown_clinic", "csv", "Name a clinic that exists in clinic_id."),
        ("age:something_new", "csv", "Mend age."),
        ("something_new", "csv", "Refused: something new."),
    ],
)
def test_advice_names_the_column_as_the_file_does(code: str, format: Format, told: str) -> None:
    assert advice(code, format) == told


@pytest.mark.parametrize(
    "code", ["person.Ada Lovelace:extra_forbidden", "person.Ada:extra_forbidden", "Ada:x", "age:Ada!"]
)
def test_a_name_that_is_not_ours_is_never_shown(code: str) -> None:
    assert "Ada" not in shown(code) + advice(code, "ndjson")
    assert "*" in shown(code)


def test_a_report_is_a_table_by_row_that_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "errors.csv"
    write(path, {9: ("not_json",)}, "ndjson")
    write(path, {7: ("age:int_type", "consent:bool_type"), 2: ("person_differs",)}, "csv")
    with path.open(newline="") as file:
        header, *lines = list(csv.reader(file))
    assert header == ["row", "code", "what to mend"]
    assert [line[:2] for line in lines] == [
        ["2", "person_differs"],
        ["7", "age:int_type"],
        ["7", "consent:bool_type"],
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["errors.csv"]


def test_a_report_without_errors_is_its_header(tmp_path: Path) -> None:
    write(tmp_path / "errors.csv", {}, "csv")
    assert (tmp_path / "errors.csv").read_text().splitlines() == ["row,code,what to mend"]
