"""How a typed text finds a person: by beginnings, whatever the case, the accents and the punctuation."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.names import NOTHING, Question, filed_as, folded, words_of
from services.intake.domain.person import Person

NAMES = st.text(st.characters(codec="utf-8"), max_size=40)
LETTERS = st.text(st.characters(categories=["Lu", "Ll"], codec="latin-1"), min_size=1, max_size=12)
WORDS = st.lists(LETTERS, min_size=1, max_size=4)


def person(given: str | None = None, family: str | None = None, **told: object) -> Person:
    known = {"id": "pat_1", "patient_id": "pat_1", "clinic_id": "riverside"}
    return Person.model_validate({"given_name": given, "family_name": family, **told, **known})


def finds(text: str, who: Person) -> bool:
    """What the index is asked, in memory."""
    question, words = Question.of(text), who.words
    if question.number in words:
        return True
    if not set(question.days) <= set(words):
        return False
    asked = [reading for reading in question.readings if reading or question.days]
    return any(all(any(w.startswith(b) for w in words) for b in reading) for reading in asked)


@pytest.mark.parametrize(
    ("text", "given", "family"),
    [
        ("jose", "José", "García"),
        ("GARCÍA jos", "Jose", "Garcia"),
        ("garc JOSÉ", "José", "García"),
        ("obrien", "Kate", "O'Brien"),
        ("brien", "Kate", "O'Brien"),
        ("o'brien", "Kate", "O’Brien"),
        ("o’bri", "Kate", "OBrien"),
        ("kate o'brien", "Kate", "O'Brien"),
        ("smith-jones", "Ann", "Smith Jones"),
        ("smith-j", "Ann", "Smith-Jones"),
        ("smithjones", "Ann", "Smith-Jones"),
        ("jones ann", "Ann", "Smith-Jones"),
        ("ann-marie smithj", "Ann-Marie", "Smith-Jones"),
        ("de la cruz", "Luz", "de la Cruz"),
        ("delacr", "Luz", "de la Cruz"),
        ("lukasz zolw", "Łukasz", "Żółw"),
        ("soren strasse", "Søren", "Straße"),
        ("aeg", "Ægir", "Þórsson"),
        ("istanbullu ilkay", "İlkay", "ISTANBULLU"),
        ("ΣΟΦΙΑΣ", "Σοφιας", "Παππά"),
        ("王小", "小明", "王"),
        ("王小明", "小明", "王"),
        ("小明 王", "小明", "王"),
        ("小明王", "小明", "王"),
        ("小", "小明", "王"),
        ("김철", "철수", "김"),
        ("吉𠮷", "太郎", "吉𠮷"),
        ("משה", "מֹשֶׁה", "כהן"),
        ("محمد", "مُحَمَّد", "علي"),
        ("สมชาย", "สมชาย", "ใจดี"),
        ("anna", "An\u200dna", "B\u00adell"),
        ("  anna \t ", "Anna", None),
    ],
)
def test_a_person_is_found_by_the_beginnings_of_their_names(
    text: str, given: str, family: str | None
) -> None:
    assert finds(text, person(given, family))


@pytest.mark.parametrize("text", ["ose", "josé martin", "jose garcia lopez", "--", "' -", "=MRN-7x", "*"])
def test_whoever_has_no_such_word_is_not_found(text: str) -> None:
    assert not finds(text, person("José", "García", external_id="MRN-7", birth_date=date(1985, 6, 1)))


def test_an_external_id_finds_its_person_whole_and_exactly_only() -> None:
    numbered = person("José", None, external_id="MRN-7 b")
    assert finds("MRN-7 b", numbered)
    assert finds(" MRN-7 b ", numbered)
    assert not [text for text in ("MRN-7", "mrn-7 b", "MRN-7 bc", "7 b", "=MRN-7 b") if finds(text, numbered)]


def test_a_birth_date_beside_names_narrows() -> None:
    born = person("José", "García", birth_date=date(1985, 6, 1))
    assert finds("garc 1985-06-01", born)
    assert finds("1985-06-01", born)
    assert not finds("garc 1985-06-02", born)
    assert not finds("mart 1985-06-01", born)
    assert not finds("garc 1985-13-01", born)


def test_nothing_finds_those_of_whom_nothing_is_known() -> None:
    nobody = person()
    assert nobody.words == (NOTHING,)
    assert not [text for text in ("an", "--", "", " ", "1985-06-01", "=") if finds(text, nobody)]


def test_a_list_by_name_is_ordered_by_family_name_without_case_and_accents() -> None:
    people = [("Zoë", "van Aa"), ("Ada", "Ünal"), ("bo", "Unal"), (None, "Zeh"), ("Ida", None)]
    assert sorted(people, key=lambda name: filed_as(*name)) == [
        ("Ida", None),
        ("Ada", "Ünal"),
        ("bo", "Unal"),
        ("Zoë", "van Aa"),
        (None, "Zeh"),
    ]


@given(NAMES)
def test_folding_twice_changes_nothing(name: str) -> None:
    assert folded(folded(name)) == folded(name)


@given(NAMES, NAMES)
def test_words_of_any_names_are_plain_and_are_those_of_the_folded_names(first: str, last: str) -> None:
    words = words_of(first, last, None, None)
    assert words == words_of(folded(first), folded(last), None, None)
    assert not [word for word in words if any(char.isspace() or char in "=*'-’" for char in word)]
    assert set(words) == set(words_of(last, first, None, None))


@given(WORDS, WORDS, st.data())
def test_beginnings_of_some_words_in_any_order_case_and_form_find_the_person(
    first: list[str], last: list[str], data: st.DataObject
) -> None:
    who = person(" ".join(first), "-".join(last))
    chosen = data.draw(st.lists(st.sampled_from(first + last), min_size=1, max_size=4))
    typed = [word[: data.draw(st.integers(1, len(word)))] for word in chosen]
    text = unicodedata.normalize(data.draw(st.sampled_from(["NFC", "NFD"])), " ".join(typed))
    assert finds(data.draw(st.sampled_from([text, text.upper(), text.lower(), text.casefold()])), who)


TYPED = st.lists(st.sampled_from(["ana", "o'b", "brien", "mar", "o", "zz", "--", "1985-06-01", "2000-01-01"]))


@given(TYPED.filter(bool), TYPED)
def test_a_further_word_never_finds_more_people(typed: list[str], further: list[str]) -> None:
    who = person("Ana María", "O'Brien", birth_date=date(1985, 6, 1))
    says_something = Question.of(" ".join(typed)).days or Question.of(" ".join(typed)).readings != ((),)
    if says_something and finds(" ".join(typed + further), who):
        assert finds(" ".join(typed), who)
