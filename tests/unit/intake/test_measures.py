"""PHQ-9 and GAD-7 are scored on the server, from the items, and never from a part of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.intake.domain.measures import (
    GAD7,
    LOINC_ANSWERS,
    PHQ9,
    Answer,
    Answers,
    Band,
    Instrument,
    band,
    merged,
    nhanes_answer,
    score,
    unanswered,
)

points = st.integers(0, 3)
gaps = st.sampled_from(["refused", "dont_know", None])
answers9 = st.tuples(*[points | gaps] * 9)


def test_a_refused_answer_is_missing_and_never_zero() -> None:
    scored = score(PHQ9, (0, 0, 0, "refused", 0, 0, 0, 0, 0))
    assert scored.total is None
    assert scored.band is None
    assert scored.missing_items == (4,)


def test_a_questionnaire_answered_with_refusals_was_started_and_one_without_answers_was_not() -> None:
    assert score(PHQ9, ("refused",) * 9).started
    assert not score(PHQ9, unanswered(PHQ9)).started


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (9, "mild"),
        (10, "moderate"),
        (14, "moderate"),
        (15, "moderately_severe"),
        (19, "moderately_severe"),
        (20, "severe"),
        (27, "severe"),
    ],
)
def test_phq9_bands_are_those_of_kroenke(total: int, expected: Band) -> None:
    assert band(PHQ9, total) == expected


@pytest.mark.parametrize(
    ("total", "expected"),
    [(4, "minimal"), (5, "mild"), (9, "mild"), (10, "moderate"), (14, "moderate"), (15, "severe")],
)
def test_gad7_is_cut_at_five_ten_and_fifteen(total: int, expected: Band) -> None:
    assert band(GAD7, total) == expected


def test_item_9_has_its_own_loinc_code_and_answers_have_theirs() -> None:
    assert PHQ9.loinc_items[8] == "44260-8"
    assert (PHQ9.loinc_panel, PHQ9.loinc_total, GAD7.loinc_total) == ("44249-1", "44261-6", "70274-6")
    assert len(PHQ9.loinc_items) == PHQ9.items
    assert LOINC_ANSWERS[3] == "LA6571-9"


def test_a_wrong_number_of_items_is_an_error_and_not_a_score() -> None:
    with pytest.raises(ValueError, match="9 items"):
        score(PHQ9, (0,) * 8)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", 4, -1, "maybe"])
def test_an_answer_is_a_whole_number_from_0_to_3_or_a_named_refusal(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Answer).validate_python(value)


@pytest.mark.parametrize(
    ("cell", "answer"), [("0", 0), ("3", 3), ("7", "refused"), ("9", "dont_know"), ("", None), (" 2 ", 2)]
)
def test_nhanes_codes_7_9_and_empty_are_refused_dont_know_and_missing(cell: str, answer: Answer) -> None:
    assert nhanes_answer(cell) == answer


def test_an_nhanes_cell_that_is_no_code_stays_as_it_is_to_be_refused() -> None:
    assert nhanes_answer("4") == "4"


@settings(deadline=None)
@given(answers9)
def test_there_is_a_total_exactly_when_all_nine_are_answered(answers: Answers) -> None:
    scored = score(PHQ9, answers)
    missing = [n for n, answer in enumerate(answers, start=1) if not isinstance(answer, int)]
    assert list(scored.missing_items) == missing
    assert (scored.total is None) == bool(missing)
    assert (scored.band is None) == bool(missing)


@settings(deadline=None)
@given(st.sampled_from([PHQ9, GAD7]), st.data())
def test_a_total_is_the_sum_and_lies_in_its_band(instrument: Instrument, data: st.DataObject) -> None:
    answers = data.draw(st.tuples(*[points] * instrument.items))
    scored = score(instrument, answers)
    assert scored.total == sum(answers)
    lowest = {name: cut for cut, name in instrument.bands}
    assert scored.band is not None
    assert lowest[scored.band] <= sum(answers) <= 3 * instrument.items


@settings(deadline=None)
@given(answers9, answers9)
def test_merging_keeps_what_is_not_answered_now_and_takes_what_is(before: Answers, now: Answers) -> None:
    both = merged(before, now)
    assert all(
        kept == (old if new is None else new) for kept, old, new in zip(both, before, now, strict=True)
    )
    assert merged(both, now) == both
