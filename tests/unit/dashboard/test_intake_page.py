"""What the intake pages hand on, and in which words: against intake's own forms, rules and readers."""

import csv
import json
from datetime import timedelta
from io import StringIO
from itertools import product
from typing import Any, get_args

import pytest

from services.dashboard.calendar.hours import Clinics
from services.dashboard.domain.person import Referral
from services.dashboard.pages import instruments
from services.dashboard.pages.imports import words as import_words
from services.dashboard.pages.imports.rows import COLUMNS, Format, Unusable, read_part
from services.dashboard.pages.intake import words as intake_words
from services.dashboard.pages.intake.answers import said_no, unsent
from services.dashboard.pages.intake.errors import field_errors
from services.dashboard.pages.intake.form import (
    CSSRS,
    PHQ9,
    age_of,
    answers_of,
    consent_of,
    declining_of,
    enrolment_of,
    is_about_nobody,
    is_alarming,
    merged,
    referral_of,
    screening_of,
    seen_of,
)
from services.dashboard.pages.intake.queue import Line
from services.dashboard.pages.intake.referral import TASKS, Held, content_of, drawn_from
from services.dashboard.web.drawing import Drawing
from services.dashboard.web.services import Answer
from services.dashboard.web.viewer import Viewer
from services.intake import importing
from services.intake.app import read_rules
from services.intake.domain.crisis import Evidence, assess
from services.intake.domain.history import Condition
from services.intake.events import DeclineReason, Instrument, ReviewReason
from services.intake.forms import EnrolForm, ImportRow, ReferralForm, ScreeningForm
from shared.clock import SystemClock
from tests.support.world import MONDAY

AWAY = Answer(0, {"status": 503, "reason": "service_unreachable", "detail": "Intake does not answer."})


def test_every_code_of_intake_has_words() -> None:
    assert set(intake_words.REASONS) == set(get_args(ReviewReason))
    assert set(intake_words.MISSING) == set(get_args(Instrument))
    assert set(intake_words.DECLINES) == set(get_args(DeclineReason))
    assert set(intake_words.EVIDENCE) == set(get_args(Evidence))
    assert set(intake_words.CONDITIONS) == set(get_args(Condition))


def test_the_variants_offered_are_the_ones_the_rules_know_with_their_sessions() -> None:
    known = {name: variant.sessions for name, variant in read_rules().variants.items()}
    assert {name: offered[0] for name, offered in intake_words.VARIANTS.items()} == known
    assert all(EnrolForm.model_validate(enrolment_of({"variant": name})) for name in known)


def test_an_unknown_code_is_shown_and_never_hidden() -> None:
    assert intake_words.worded(["quite_new"], intake_words.REASONS) == ["Quite new"]


def test_what_was_not_answered_is_missing_and_never_zero() -> None:
    found = screening_of({PHQ9[0]: "3", PHQ9[1]: "", PHQ9[2]: "refused"})
    assert found["phq9"]["items"] == [3, None, "refused", *[None] * 6]
    assert found.keys() == {"phq9"}
    assert screening_of(dict.fromkeys(PHQ9, "")) == {}


def test_a_filled_form_is_what_intake_takes() -> None:
    form = {
        "clinic_id": "riverside",
        "external_id": " R-1 ",
        "person.given_name": "Ada",
        "person.birth_date": "1984-05-23",
        "person.note": "",
        "consent": "yes",
        "crisis": "no",
        "history.episodes": "2",
        "history.family_history": "true",
        "history.conditions.bipolar": "true",
        **dict.fromkeys(PHQ9, "1"),
        "screening.phq9.difficulty": "2",
        **dict.fromkeys(CSSRS[:2], "no"),
    }
    taken = ReferralForm.model_validate_json(json.dumps(referral_of(form)))
    assert taken.external_id == "R-1"
    assert taken.consent is True
    assert taken.crisis == "no"
    assert taken.person.note is None
    assert taken.history is not None
    assert taken.history.conditions == ("bipolar",)
    assert taken.screening is not None
    assert taken.screening.screening().phq9_score.total == 9


def test_an_empty_form_says_nothing_at_all() -> None:
    assert referral_of({"consent": "", "crisis": "", "age": " "}) == {"person": {}}


def test_a_history_that_was_taken_and_holds_nothing_is_not_the_same_as_none() -> None:
    assert "history" not in referral_of({})
    assert referral_of({"history.taken": "true"})["history"] == {"episodes": None}


def test_what_cannot_be_read_goes_on_as_it_was_written() -> None:
    assert referral_of({"age": "old"})["age"] == "old"


def test_an_unclear_crisis_is_unknown_and_never_a_no() -> None:
    assert referral_of({"crisis": "unclear"})["crisis"] is None
    assert ReferralForm.model_validate(referral_of({"crisis": "unclear"})).crisis == "unknown"


@pytest.mark.parametrize(
    ("form", "alarming"),
    [
        ({}, False),
        ({PHQ9[8]: "0", CSSRS[0]: "no", "crisis": "no"}, False),
        ({PHQ9[8]: "1"}, True),
        ({CSSRS[3]: "yes"}, True),
        ({"crisis": "yes"}, True),
        ({"crisis": "unclear"}, True),
    ],
)
def test_a_form_that_speaks_of_a_crisis_is_known_for_one(form: dict[str, str], alarming: bool) -> None:
    assert is_alarming(form) is alarming


def test_a_form_is_alarming_exactly_where_intake_hears_a_crisis() -> None:
    for answers in product(("", "no", "yes", "maybe"), repeat=len(CSSRS)):
        form = {PHQ9[0]: "1", **dict(zip(CSSRS, answers, strict=True))}
        given = ScreeningForm.model_validate(screening_of(form)).screening()
        assert is_alarming(form) is (assess(given, "not_stated").severity is not None), answers
    assert is_alarming({PHQ9[8]: "often"})


def test_answers_that_intake_holds_come_back_as_the_same_answers() -> None:
    items = [0, 1, 2, 3, None, "refused", "dont_know", 0, 1]
    answers = {"q1": "yes", "q2": "no", "q3": None, "q4": None, "q5": None, "q6": "no", "q6_recent": None}
    referral = {
        "phq9": {"items": items},
        "gad7": {"items": [1] * 7},
        "difficulty": 2,
        "cssrs": {"answers": answers},
    }
    found = screening_of(answers_of(referral))
    assert found == {
        "phq9": {"items": items, "difficulty": 2},
        "gad7": {"items": [1] * 7},
        "cssrs": answers,
    }
    assert ScreeningForm.model_validate(found)


def test_a_choice_that_was_not_made_is_not_made_for_anybody() -> None:
    assert consent_of({}) == {"given": None}
    assert [age_of({"age": said}) for said in (" 40 ", "forty")] == [{"age": 40}, {"age": "forty"}]
    assert declining_of({"reason": "duplicate"})["alternative_offered"] is None


def problem(*errors: tuple[str, str]) -> dict[str, Any]:
    found = [{"field": field, "problem": kind, "allowed": {"le": 130}} for field, kind in errors]
    return {"status": 422, "reason": "invalid", "detail": "…", "errors": found}


def test_errors_stand_at_their_fields_in_words() -> None:
    fields = ["person.email", "age", "clinician_id", "person.external_id", "external_id"]
    found = field_errors(
        problem(
            ("body.person.email", "string_pattern_mismatch"),
            ("body.age", "less_than_equal"),
            ("clinician_id", "unknown_clinician"),
            ("body.person.external_id", "string_pattern_mismatch"),
        ),
        fields,
    )
    assert found["person.email"] == "Email: write one address, like name@example.org."
    assert found["age"] == "Age: use 130 or less."
    assert found["clinician_id"] == "Clinician: choose a clinician of this clinic."
    assert found["person.external_id"].startswith("Patient number: ")


def test_errors_of_a_screening_and_of_a_decision_find_their_fields() -> None:
    items = field_errors(problem(("body.phq9.items.3", "literal_error")), PHQ9, within="screening.")
    assert items == {"screening.phq9.items.3": "PHQ-9, question 4: this is not acceptable (literal error)."}
    assert field_errors(problem(("body.*.reason", "literal_error")), ["reason"]) == {
        "reason": "Reason: choose one."
    }


def test_an_error_about_no_field_of_the_form_is_said_all_the_same() -> None:
    assert list(field_errors(problem(("body.other", "missing")), ["age"])) == ["other"]


def test_where_nobody_knows_what_became_of_a_form_it_keeps_its_key() -> None:
    away = said_no(AWAY, {"idempotency_key": "k1"}, [], is_alarming=True)
    assert (away.key, away.is_away, away.is_alarming, away.status) == ("k1", True, True, 503)
    told = said_no(Answer(422, problem()), {"idempotency_key": "k1"}, [])
    assert not told.is_away
    assert told.key != "k1"


def referral(*, phq9: list[Any], version: int) -> Answer:
    """As intake answers with it."""
    cssrs = {"answers": dict.fromkeys(("q1", "q2", "q3", "q4", "q5", "q6", "q6_recent"))}
    body = {"phq9": {"items": phq9}, "gad7": {"items": [None] * 7}, "difficulty": None, "cssrs": cssrs}
    return Answer(200, body, version)


def test_a_form_that_was_unfit_still_stands_for_the_version_its_sender_saw() -> None:
    unfit = said_no(Answer(422, problem(("body.given", "missing"))), {}, ["given"])
    now = referral(phq9=[3] * 9, version=8)
    for said in (unfit, said_no(AWAY, {}, []), unsent()):
        drawn = drawn_from(now, Held("consent", {"version": "7"}, said))
        assert (drawn["held_version"], drawn["version"]) == ("7", 8), (
            "other forms of the page are drawn afresh"
        )
    conflict = said_no(Answer(412, {"status": 412, "reason": "version_changed"}), {}, [])
    assert drawn_from(now, Held("consent", {"version": "7"}, conflict))["held_version"] == 8


def test_after_a_conflict_only_what_the_sender_changed_replaces_what_others_answered() -> None:
    before = {PHQ9[0]: "1", PHQ9[1]: "1", PHQ9[2]: "1"}
    sent = before | {PHQ9[1]: "2", PHQ9[2]: "2", PHQ9[3]: "2", "seen": seen_of(before), "version": "7"}
    conflict = said_no(Answer(412, {"status": 412, "reason": "version_changed"}), {}, [])
    now = referral(phq9=[3, 1, 3, None, 3, None, None, None, None], version=8)
    drawn = drawn_from(now, Held("screening", sent, conflict))
    assert [drawn["given"][name] for name in PHQ9[:6]] == ["3", "2", "2", "2", "3", ""]
    assert drawn["theirs"] == {PHQ9[1]: "1", PHQ9[2]: "3"}
    assert drawn["seen"].startswith("3,1,3,,3,")
    unfit = said_no(Answer(422, problem(("body.phq9.items.0", "literal_error"))), {}, [])
    assert drawn_from(now, Held("screening", sent, unfit))["given"] == sent


def test_without_what_the_sender_saw_every_answer_counts_as_changed() -> None:
    assert merged({PHQ9[0]: "1", "seen": "forged"}, {PHQ9[0]: "3", PHQ9[1]: "2"})[PHQ9[0]] == "1"
    assert merged({PHQ9[0]: "1", "seen": "forged"}, {PHQ9[0]: "3", PHQ9[1]: "2"})[PHQ9[1]] == "2"


def test_a_form_of_an_earlier_sign_in_says_that_nobody_was_alerted_by_it() -> None:
    form = {"person.given_name": "Ada", CSSRS[0]: "yes"}
    said = unsent(is_alarming=is_alarming(form))
    drawn = page(
        "intake-new.html",
        said=said,
        values=form,
        key=said.key,
        clinics=[("riverside", "Riverside")],
        clinicians=[],
    )
    assert "Nothing was sent yet" in drawn
    assert "Nobody was alerted by this form" in drawn
    assert "tel:988" in drawn
    assert 'value="Ada"' in drawn
    assert said.status == 403


@pytest.mark.parametrize("task", list(TASKS))
def test_while_intake_is_away_a_task_is_shown_again_with_what_was_entered(task: str) -> None:
    form = {"idempotency_key": "k1", "version": "7", "variant": "ipt-14", "given": "no", PHQ9[8]: "2"}
    said = said_no(AWAY, form, [], is_alarming=True)
    drawn = page("intake-referral.html", done="", **drawn_from(AWAY, Held(task, form, said)))
    assert drawn.count('name="task"') == 1
    assert f'name="task" value="{task}"' in drawn
    assert 'value="k1"' in drawn
    assert "Nobody was alerted by this form" in drawn
    assert "tel:988" in drawn


def test_while_intake_is_away_the_referral_form_keeps_what_was_entered() -> None:
    form = {"idempotency_key": "k1", "person.given_name": "<b>Ada</b>", CSSRS[0]: "yes"}
    said = said_no(AWAY, form, [], is_alarming=is_alarming(form))
    choices = {"clinics": [("riverside", "Riverside")], "clinicians": []}
    drawn = page("intake-new.html", said=said, values=form, key=said.key, **choices)
    assert "Nobody was alerted by this form" in drawn
    assert "&lt;b&gt;Ada&lt;/b&gt;" in drawn
    assert "Intake does not answer." in drawn


def page(template: str, **context: Any) -> str:
    viewer = Viewer("cln_r01", frozenset({"clinician"}), "riverside", MONDAY, "token")
    known = {"new_key": lambda: "fresh", "instruments": instruments, **content_of(AWAY, Clinics(clinics=()))}
    drawing = Drawing(SystemClock(), idle_minutes=15)
    return drawing.text(template, path="/intake/ref_1", viewer=viewer, title="", **known | context)


def test_a_refusal_is_told_in_words_and_a_conflict_is_known() -> None:
    refused = said_no(Answer(409, {"status": 409, "reason": "crisis_unassessed", "detail": "x"}), {}, [])
    assert "assess it" in refused.problem["detail"]
    assert not refused.is_conflict
    assert said_no(Answer(412, {"status": 412, "reason": "version_changed"}), {}, []).is_conflict


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(minutes=5), "less than an hour"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=9), "9 days"),
    ],
)
def test_how_long_a_referral_waits_is_said_in_words(ago: timedelta, said: str) -> None:
    line = Line("pat_1", "riverside", Referral(id="ref_1", received_at=MONDAY - ago), [], None)
    assert line.waits(MONDAY) == said


TABLE = '''external_id,clinic_id,given_name,age,consent,crisis,phq9_1,phq9_9,gad7_2,cssrs_q1,cssrs_q6_recent,\
family_history,episodes,conditions,phq9_difficulty,person_id,birth_date
a1,riverside,Ada,41,yes,no,2,0,refused,no,,true,2,bipolar; psychosis,1,p1,
a2,riverside,"Two
lines, ""quoted""",old,maybe,what,4,1,,perhaps,1,no,,,,,1984-05-23

a3,riverside
a4,riverside,🙂 مرحبا,,,,,,,,,,,,,,,too,many
'''
LINES = """{"external_id": "b1", "person": {"given_name": "Ada"}, "age": 41}

{"external_id": "b2", "person": {}, "unknown": 1}
not json
[1]
{"external_id": "b2", "person": {}, "crisis": true, "crisis": false}
{"external_id": "b3", "person": {}, "screening": {"cssrs": {"q1": "perhaps"}}}
"""


def test_the_columns_are_the_ones_of_the_command_line() -> None:
    assert set(COLUMNS) == set(importing.COLUMNS)


@pytest.mark.parametrize(("text", "format"), [(TABLE, "csv"), (LINES, "ndjson")])
def test_a_file_is_read_as_the_command_line_reads_it(text: str, format: Format) -> None:
    header, _, rest = text.partition("\n") if format == "csv" else ("", "", text)
    part = read_part(rest, format, header=header)
    theirs = dict(importing.rows(StringIO(text, newline=""), format))
    assert part.count == len(theirs)
    ours = {row["row"]: row for row in part.rows}
    for number, row in theirs.items():
        if isinstance(row, ImportRow):
            assert ImportRow.model_validate_json(json.dumps(ours[number])) == row
        else:
            assert ours[number] == row.document


STRAY = """external_id,given_name,crisis,note
1,Ann,no,"felt bad
2,Bea,yes,wants to die
3,Cid,no,is 5'6"
4,Dee,no,fine
"""


def test_rows_that_two_stray_quotes_swallow_are_named_as_the_command_line_names_them() -> None:
    header, _, rest = STRAY.partition("\n")
    part = read_part(rest, "csv", header=header)
    assert part.wrong == {1: ("rows_in_a_cell",)}
    assert "quote" in import_words.advice("rows_in_a_cell", "csv")
    theirs = dict(importing.rows(StringIO(STRAY, newline=""), "csv"))[1]
    assert isinstance(theirs, importing.RowError)
    assert (theirs.codes, theirs.document) == (part.wrong[1], part.rows[0])


def test_rows_of_a_later_part_are_numbered_on() -> None:
    part = read_part("x1\nx2\n", "csv", header="\ufeffexternal_id\n", first=201)
    assert [row["row"] for row in part.rows] == [201, 202]


def test_a_row_of_another_width_is_sent_and_named() -> None:
    part = read_part("a,1,2\n", "csv", header="external_id,age")
    assert part.wrong == {1: ("cells:wrong_number",)}
    assert len(part.rows) == 1


@pytest.mark.parametrize("header", ["", "Ada,Lovelace", "external_id,Ada Lovelace", '"external_id'])
def test_a_header_that_does_not_fit_is_said_without_repeating_it(header: str) -> None:
    with pytest.raises(Unusable) as unusable:
        read_part("a,b\n", "csv", header=header)
    assert "Ada" not in unusable.value.said


def test_a_column_that_stands_twice_is_named() -> None:
    with pytest.raises(Unusable, match="crisis, phq9_9 more than once"):
        read_part("1,3,yes,,\n", "csv", header="external_id,phq9_9,crisis,crisis,phq9_9")


def test_a_quote_that_never_ends_is_said_before_rows_hide_in_a_cell() -> None:
    with pytest.raises(Unusable):
        read_part('a,"never\nb,c\n', "csv", header="external_id,note")


def test_what_nothing_can_store_makes_its_own_row_wrong_and_no_other() -> None:
    part = read_part(
        '{"external_id": "\\u0000"}\n{"age": NaN}\n{"age": 99999999999999999999}\n{"external_id": "ok"}\n',
        "ndjson",
    )
    json.dumps(part.rows, allow_nan=False)
    assert [row.get("external_id", row.get("age")) for row in part.rows] == [[{}], [{}], [{}], "ok"]


@pytest.mark.parametrize(
    "field",
    ["person.given_name", "person.family_name", "person.birth_date", "person.external_id", "person.email",
     "person.phone", "external_id"],
)  # fmt: skip
def test_a_referral_without_any_of_a_persons_marks_is_about_nobody(field: str) -> None:
    unnamed = {"clinic_id": "riverside", "age": "40", "person.note": "Tall", field: " "}
    assert is_about_nobody(unnamed)
    assert not is_about_nobody(unnamed | {field: "1"})


def test_the_report_names_columns_as_the_file_does_and_repeats_nothing() -> None:
    assert import_words.advice("screening.phq9.items.3:literal_error", "csv").endswith("phq9_4.")
    assert import_words.advice("history.conditions.1:literal_error", "csv").endswith("in conditions.")
    assert import_words.advice("person.external_id:string_type", "csv") == "Write text in person_id."
    assert import_words.advice("screening.cssrs.q6_recent:missing", "csv") == "Fill in cssrs_q6_recent."
    assert import_words.shown("person.Ada Lovelace:missing") == "person.*:missing"
    assert import_words.shown("age:Ada!") == "age:*"


def test_a_table_may_hold_every_column() -> None:
    text = StringIO()
    csv.writer(text).writerow(sorted(COLUMNS))
    assert read_part("", "csv", header=text.getvalue()).count == 0
