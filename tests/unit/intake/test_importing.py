"""Files become rows: three formats, wrong rows named by codes, the survey's answers whole."""

import csv
import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain import intake
from services.intake.domain.crisis import assess
from services.intake.domain.referral import Incomplete
from services.intake.domain.salvage import evidence_in_document
from services.intake.events import CrisisFlagRaised
from services.intake.forms import ImportRow
from services.intake.importing import COLUMNS, Format, RowError, WrongColumns, document, rows
from tests.unit.intake.samples import NOW, RULES, names, referral

ANSWERS = Path(__file__).parents[4] / "shared" / "data" / "nhanes_2017_2018_dpq.csv"
NHANES_HEADER = "SEQN,RIAGENDR,RIDAGEYR,DPQ010,DPQ020,DPQ030,DPQ040,DPQ050,DPQ060,DPQ070,DPQ080,DPQ090,DPQ100"


def read(lines: list[str], format: Format = "csv") -> list[ImportRow | RowError]:
    return [row for _, row in rows(lines, format)]


def one(lines: list[str], format: Format = "csv") -> Any:
    (row,) = read(lines, format)
    return row


def test_a_csv_row_is_read_into_person_history_screening_and_crisis() -> None:
    cells = {
        "external_id": "A-17",
        "source_system": "ehr",
        "person_id": "p1",
        "given_name": "Zoë",
        "birth_date": "1980-02-29",
        "consent": "yes",
        "crisis": "no",
        "episodes": "2",
        "family_history": "TRUE",
        "conditions": "bipolar; psychosis",
        "phq9_1": "3",
        "phq9_9": "0",
        "phq9_difficulty": "1",
        "gad7_7": "2",
        "cssrs_q1": "no",
        "cssrs_q6_recent": "y",
    }
    row = one([",".join(cells), ",".join(cells.values())])
    assert isinstance(row, ImportRow)
    assert (row.external_id, row.source_system, row.row) == ("A-17", "ehr", 1)
    assert row.person.given_name == "Zoë"
    assert (row.consent, row.crisis) == (True, "no")
    assert row.history is not None
    assert (row.history.episodes, row.history.family_history) == (2, True)
    assert row.history.conditions == ("bipolar", "psychosis")
    screening = row.submission(None).screening
    assert screening.phq9 == (3, *(None,) * 7, 0)
    assert (screening.gad7[6], screening.difficulty) == (2, 1)
    assert (screening.cssrs.q1, screening.cssrs.q6_recent) == ("no", "yes")


def test_an_empty_cell_is_absent_and_nobody_was_asked() -> None:
    row = one(["external_id,crisis,consent,phq9_1", "A,,,"])
    assert (row.crisis, row.consent, row.screening) == ("not_stated", None, None)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["external_id,phq9_1", "A,5"], "screening.phq9.items.0"),
        (["external_id,birth_date", "A,29/02/1980"], "person.birth_date"),
        (["external_id,age", "A,forty"], "age"),
        (["external_id,age", "A,40,B"], "row:extra_forbidden"),
        (["external_id,age", "A"], "row:extra_forbidden"),
        (["external_id,age", ",40"], "external_id:missing"),
    ],
)
def test_a_wrong_cell_is_named_by_field_and_code_and_its_content_is_not(lines: list[str], code: str) -> None:
    row = one(lines)
    assert isinstance(row, RowError)
    assert any(found.startswith(code) for found in row.codes)
    assert "forty" not in " ".join(row.codes)


def test_a_wrong_row_can_be_sent_all_the_same_with_its_number_and_what_it_says_of_a_crisis() -> None:
    row = one(["external_id,age,crisis", "A,forty,perhaps"])
    assert isinstance(row, RowError)
    assert row.document is not None
    assert (row.document["row"], row.document["crisis"]) == (1, "perhaps")


def test_one_wrong_row_does_not_stop_the_rows_after_it() -> None:
    found = read(["external_id,age", "A,40", "B,x", "C,41"])
    assert [type(row) for row in found] == [ImportRow, RowError, ImportRow]
    assert [row.row for row in found] == [1, 2, 3]


def test_an_unknown_or_missing_column_is_refused_before_any_row() -> None:
    with pytest.raises(WrongColumns) as wrong:
        read(["given_name,colour", "Jo,red"])
    assert (wrong.value.missing, wrong.value.unknown) == (["external_id"], ["colour"])


def test_a_column_or_a_field_that_stands_twice_is_refused_and_none_of_the_two_answers_lost() -> None:
    with pytest.raises(WrongColumns) as wrong:
        read(["external_id,crisis,age,crisis", "A,yes,40,"])
    assert (wrong.value.missing, wrong.value.unknown, wrong.value.repeated) == ([], [], ["crisis"])
    line = '{"external_id": "A", "person": {}, "crisis": true, "crisis": false}'
    (row,) = read([line], "ndjson")
    assert isinstance(row, RowError)
    assert (row.codes, row.document) == (("repeated_field",), {"unreadable_line": line, "row": 1})


STRAY = [
    "external_id,person_id,given_name,crisis,note",
    '1,P1,Ann,no,"felt bad',
    "2,P2,Bea,yes,wants to die",
    "3,P3,Cid,no,is 5'6\"",
    "4,P4,Dee,no,fine",
]


@pytest.mark.parametrize(
    "lines",
    [
        STRAY,
        [*STRAY[:2], *STRAY[3:]],
        ["note,external_id,crisis", '"bad,1,no', "die,2,yes", "5'6\",3,no"],
        ["external_id,note,crisis", '1,"bad,no', "2,5'6\",yes"],
        ["external_id,note,crisis", '1,"bad,no', "2,die,yes", '3"'],
    ],
)
def test_rows_that_two_stray_quotes_swallow_are_refused_and_a_crisis_among_them_is_not_lost(
    lines: list[str],
) -> None:
    row = next(iter(read([f"{line}\n" for line in lines])))
    assert isinstance(row, RowError)
    assert row.codes == ("rows_in_a_cell",)
    assert evidence_in_document(row.document).evidence >= {"unassessable"}


def test_a_note_of_several_lines_is_a_note() -> None:
    (row,) = read([f"{STRAY[0]}\n", '1,P1,Ann,no,"slept badly, eats little\n', 'lives ""alone"", works"\n'])
    assert isinstance(row, ImportRow)
    assert row.person.note == 'slept badly, eats little\nlives "alone", works'


def test_a_wrong_answer_has_one_code_and_does_not_make_the_others_too_few() -> None:
    row = one(["external_id,phq9_1,phq9_2,birth_date,phq9_difficulty", "A,7,x,23.5.1984,9"])
    assert isinstance(row, RowError)
    assert sorted(row.codes) == [
        "person.birth_date:date_form",
        "screening.phq9.difficulty:literal_error",
        "screening.phq9.items.0:literal_error",
        "screening.phq9.items.1:literal_error",
    ]
    few = read(['{"external_id": "A", "person": {}, "screening": {"phq9": {"items": [1, 2]}}}'], "ndjson")
    assert isinstance(few[0], RowError)
    assert few[0].codes == ("screening.phq9.items:too_short",)


def test_a_byte_order_mark_and_spaces_in_the_header_do_no_harm() -> None:
    assert isinstance(one(["\ufeffexternal_id , age", "A,40"]), ImportRow)


def test_a_spreadsheet_formula_in_a_name_is_a_name() -> None:
    assert one(["external_id,given_name", "A,=1+1"]).person.given_name == "=1+1"


def test_ndjson_takes_the_form_of_a_referral_line_by_line() -> None:
    good = {"external_id": "A", "person": {"given_name": "Jo"}, "crisis": None}
    found = read([json.dumps(good), "", "{", "[]", json.dumps(good | {"colour": 1})], "ndjson")
    assert isinstance(found[0], ImportRow)
    assert found[0].crisis == "unknown"
    errors = [row for row in found if isinstance(row, RowError)]
    assert [error.codes for error in errors] == [("not_json",), ("not_an_object",), ("row:extra_forbidden",)]
    assert errors[0].document == {"unreadable_line": "{", "row": 2}
    assert errors[2].document == good | {"colour": 1, "row": 4}


def test_a_row_goes_into_a_request_and_comes_out_the_same() -> None:
    row = one(["external_id,crisis,cssrs_q1,phq9_9,age", "A,maybe,perhaps,2,40"])
    assert ImportRow.model_validate(document(row)) == row


def test_nhanes_codes_stay_missing_in_the_row() -> None:
    row = one([NHANES_HEADER, "93705,2,66,7,9,,0,1,2,3,0,0,7"], "nhanes")
    assert row.screening.phq9.items == ("refused", "dont_know", None, 0, 1, 2, 3, 0, 0)
    assert row.screening.phq9.difficulty == "refused"
    assert (row.age, row.person.sex, row.external_id, row.source_system) == (66, "female", "93705", "nhanes")
    assert row.consent is None
    assert row.screening.cssrs is None


def test_an_unknown_nhanes_code_is_an_error_of_that_row() -> None:
    row = one([NHANES_HEADER, "93705,2,66,0,0,0,0,0,0,0,0,4,"], "nhanes")
    assert isinstance(row, RowError)
    assert any(code.startswith("screening.phq9.items.8") for code in row.codes)


@pytest.mark.skipif(not ANSWERS.exists(), reason="the NHANES answers are not at ../shared/data")
def test_the_published_answers_are_kept_whole_and_flag_each_positive_item_9_once() -> None:
    total = flags = missing_phq9 = 0
    lines = ANSWERS.read_text().splitlines()
    for number, row in rows(lines, "nhanes"):
        assert isinstance(row, ImportRow)
        after, events = intake.receive(
            referral(id=f"ref_{number}", source="import"), row.submission(row.age), NOW, RULES, by="import"
        )
        raised = names(events).count(CrisisFlagRaised.__name__)
        assert raised == (assess(after.screening, "not_stated").severity is not None)
        again, repeated = intake.record(after, row.submission(row.age), NOW, RULES, by="import")
        assert (again, repeated) == (after, [])
        if after.screening.phq9_score.total is not None:
            total += 1
        if after.screening.started:
            assert isinstance(after.stage, Incomplete)
            missing_phq9 += "phq9" in after.stage.missing
            assert {"cssrs", "consent"} <= set(after.stage.missing)
        flags += raised
    assert (number, total, flags) == (2772, 2544, 107)
    empty = sum(not any(cells[3:12]) for cells in csv.reader(lines[1:]))
    assert missing_phq9 == 2772 - 2544 - empty


cells = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(sorted(COLUMNS), cells)), max_size=3))
def test_every_line_of_a_table_becomes_a_row_or_a_named_error(table: list[dict[str, str]]) -> None:
    def line(values: Any) -> str:
        return ",".join('"' + value.replace('"', '""') + '"' for value in values)

    lines = [line(sorted(COLUMNS)), *(line(row[name] for name in sorted(COLUMNS)) for row in table)]
    found = list(rows(lines, "csv"))
    assert [number for number, _ in found] == list(range(1, len(table) + 1))
    assert all(row.codes for _, row in found if isinstance(row, RowError))


@settings(deadline=None)
@given(st.lists(st.text(max_size=30).map(lambda text: text.replace("\n", " ").replace("\r", " "))))
def test_no_line_of_ndjson_is_lost(lines: list[str]) -> None:
    found = list(rows(lines, "ndjson"))
    assert len(found) == len([line for line in lines if line.strip()])
    assert list(chain(number for number, _ in found)) == list(range(1, len(found) + 1))
