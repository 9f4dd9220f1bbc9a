"""The ledger: written before the next step, and the last word on each request."""

from dataclasses import replace
from pathlib import Path

from tests.chaos.ledger import Entry, Ledger, last_words, read, said

ASKED = Entry("asked", "key-1", "intake", "POST", "/referrals", 3, "2027-03-08T15:00:00+00:00", 1.0)


def test_every_line_is_in_the_file_before_write_returns(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.write(ASKED)
        assert read(tmp_path / "ledger.jsonl") == [ASKED]
        unknown = replace(ASKED, outcome="unknown", reason="ReadTimeout")
        ledger.write(unknown)
        assert read(tmp_path / "ledger.jsonl") == [ASKED, unknown]


def test_an_answer_outweighs_any_number_of_silences() -> None:
    silence = replace(ASKED, outcome="unknown")
    answer = replace(ASKED, outcome="acknowledged", status=201)
    assert last_words([ASKED, silence, ASKED, answer, silence]).acknowledged == {"key-1": answer}
    assert last_words([ASKED, silence]).unknown.keys() == {"key-1"}
    assert last_words([ASKED, silence]).acknowledged == {}


def test_only_ids_and_codes_are_kept_of_what_was_sent() -> None:
    body = {"appointment_id": "pln_1.a1", "outcome": "attended", "note": "words", "phq9": {"items": [1]}}
    assert said(body, ("appointment_id", "outcome", "phq9")) == {
        "appointment_id": "pln_1.a1",
        "outcome": "attended",
    }


def test_an_entry_knows_its_action_and_whom_it_is_about() -> None:
    assert (ASKED.action, replace(ASKED, answer={"id": "ref_1"}).subject) == ("refer", "ref_1")
    session = replace(ASKED, path="/plans/pln_1/sessions")
    assert (session.action, session.subject) == ("sessions", "pln_1")
