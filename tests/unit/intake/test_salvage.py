"""Crisis evidence is read out of forms that cannot be accepted, and nothing else is."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain.salvage import evidence_in, evidence_in_document, stated, yes_or_no


@pytest.mark.parametrize(
    ("form", "severity", "evidence"),
    [
        ({"crisis": True}, "high", {"explicit"}),
        ({"crisis": "yes"}, "high", {"explicit"}),
        ({"crisis": None}, "moderate", {"unassessable"}),
        ({"crisis": "maybe"}, "moderate", {"unassessable"}),
        ({"crisis": {"$ne": None}}, "moderate", {"unassessable"}),
        ({"crisis": False}, None, set()),
        ({"crisis": "no"}, None, set()),
        ({}, None, set()),
        ({"phq9": {"items": [0] * 8 + [1]}}, "moderate", {"phq9_item9"}),
        ({"phq9": {"items": [0] * 8 + [7]}}, "moderate", {"phq9_item9"}),
        ({"phq9": {"items": [0] * 8 + ["2"]}}, "moderate", {"phq9_item9"}),
        ({"phq9": {"items": [9] * 8 + [0]}}, None, set()),
        ({"phq9": {"items": [0] * 8 + ["refused"]}}, None, set()),
        ({"phq9": {"items": [0] * 8 + ["often"]}}, "moderate", {"unassessable"}),
        ({"phq9": {"items": [0] * 8 + [-1]}}, "moderate", {"unassessable"}),
        ({"phq9": [0] * 8 + [3, 0]}, "moderate", {"phq9_item9"}),
        ({"phq9": {"items": "none"}}, "moderate", {"unassessable"}),
        ({"phq9": {"items": [3] * 8}}, "moderate", {"unassessable"}),
        ({"phq9": {"item9": 3}}, "moderate", {"unassessable"}),
        ({"phq9": {"items": None, "difficulty": None}}, None, set()),
        ({"screening": {"cssrs": {"q4": True, "q9": 1}}}, "high", {"cssrs_high", "unassessable"}),
        ({"a": [{"b": {"cssrs": {"q1": "sometimes"}}}]}, "moderate", {"unassessable"}),
        ({"cssrs": "positive"}, "moderate", {"unassessable"}),
        ({"history": {"conditions": ["acutely_suicidal"]}}, "high", {"explicit"}),
        ({"history": {"conditions": ["psychosis"]}}, None, set()),
        ({"history": {"conditions": ["Acutely", "suicidal"]}}, "high", {"explicit"}),
        ({"history": {"conditions": "bipolar,acutely_suicidal"}}, "high", {"explicit"}),
        ({"history": {"conditions": {"acutely_suicidal": True}}}, "high", {"explicit"}),
        ({"history": {"conditions": {"acutely_suicidal": False}}}, None, set()),
        ({"cssrs": {"q1": False, "q2": False, "q6": False}}, None, set()),
        ({"crisis": True, "phq9": {"items": [0] * 8 + [1]}}, "high", {"explicit", "phq9_item9"}),
    ],
)
def test_evidence_is_found_wherever_and_however_it_is_written(
    form: Any, severity: str | None, evidence: set[str]
) -> None:
    for found in (evidence_in(json.dumps(form).encode()), evidence_in_document(form)):
        assert (found.severity, set(found.evidence)) == (severity, evidence)


@pytest.mark.parametrize(
    "body",
    [
        b'{"crisis": true, "age": ',
        b'{"crisis": \xff}',
        b'{"age": 3, "crisis":null, }',
        b'{"item9": 2, ]',
        b'{"phq9": {"items": [0,0,0,0,0,0,0,0,3]}, }',
        b'{"phq9": {"items": [3,3,3,3',
        b'{"history": {"conditions":["bipolar", "acutely_suicidal"]}, }',
        b'{"history": {"conditions": {"acutely_suicidal": true}',
        b'{"conditions": "Acutely suicidal',
        b'{"phq9": [0, 0, 0, 0, 0, 0, 0, 0, 1 ], "person": {"given_name": "Jos',
        b'{"cssrs": {"q1": false, "q4": true}, }',
        b'{"cssrs": {"q6_recent" : "sometimes"',
    ],
)
def test_a_body_that_is_no_json_is_searched_as_text(body: bytes) -> None:
    assert evidence_in(body).severity == "moderate"


@pytest.mark.parametrize("body", [b"", b"{", b'{"crisis": false', b'{"crisis":  "no"', b"[" * 100_000])
def test_noise_is_no_evidence(body: bytes) -> None:
    assert evidence_in(body).severity is None


def test_a_name_given_twice_is_read_twice() -> None:
    assert evidence_in(b'{"crisis": true, "crisis": false}').severity == "high"
    assert evidence_in(b'{"cssrs": {"q4": true, "q4": false}}').severity == "high"
    assert evidence_in(b'{"phq9": {"items": [0,0,0,0,0,0,0,0,3], "items": null}}').severity == "moderate"


def test_answers_in_another_encoding_are_answers() -> None:
    form = {"person": {"given_name": "José"}, "phq9": {"items": [0] * 8 + [3]}, "cssrs": {"q4": True}}
    for encoding in ("utf-8", "latin-1", "utf-16"):
        found = evidence_in(json.dumps(form, ensure_ascii=False).encode(encoding))
        assert (found.severity, found.evidence >= {"phq9_item9", "cssrs_high"}) == ("high", True), encoding


def test_only_a_plain_no_is_no() -> None:
    assert (stated(False), stated("no"), stated(True), stated("yes")) == ("no", "no", "yes", "yes")
    neither: list[Any] = [0, 1, "", "No!", [], {}]
    assert {stated(value) for value in [None, *neither]} == {"unknown"}
    assert {yes_or_no(value) for value in neither} == {"unreadable"}


def test_what_comes_out_are_codes_and_never_what_was_written() -> None:
    found = evidence_in(json.dumps({"crisis": "I have pills", "note": "Jane"}).encode())
    assert "pills" not in repr(found)
    assert "Jane" not in repr(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=10)
        | st.dictionaries(
            st.sampled_from(["crisis", "phq9", "items", "cssrs", "q1", "q6"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(json_values)
def test_no_document_makes_it_stumble(document: Any) -> None:
    as_text = evidence_in(json.dumps(document).encode())
    assert as_text.severity == evidence_in_document(document).severity


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_body_makes_it_stumble(body: bytes) -> None:
    evidence_in(body)
