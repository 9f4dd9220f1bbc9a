"""Who is found stands in the order of the caseload, and leads to where they are treated."""

from typing import Any

from services.dashboard.domain.person import Course, Person, Referral
from services.dashboard.domain.risk import Risk
from services.dashboard.pages.finding import lines_of
from services.dashboard.store import Row


def hit(id: str, given: str | None = "Ida", family: str | None = "Same", **told: Any) -> dict[str, Any]:
    return {"patient_id": id, "given_name": given, "family_name": family, "birth_date": None, **told}


def row(id: str, risk: Risk, **known: Any) -> Row:
    return Row.of(Person(id=id, clinic_id="riverside", **known)).but(risk=int(risk))


REFERRAL = Referral(id="ref_1", state="incomplete")
COURSE = Course(id="pln_1", referral_id="ref_1", sessions=16)


def test_the_most_urgent_come_first_then_by_name_and_last_whom_the_caseload_does_not_know_yet() -> None:
    rows = [
        row("pat_1", Risk.ON_COURSE),
        row("pat_3", Risk.CRISIS_LOW),
        row("pat_4", Risk.ON_COURSE),
        row("pat_5", Risk.DONE),
    ]
    lines = lines_of([hit(f"pat_{n}") for n in range(1, 6)], {row.id: row for row in rows})
    assert [line.patient_id for line in lines] == ["pat_3", "pat_1", "pat_4", "pat_5", "pat_2"]


def test_a_person_leads_to_their_page_or_before_there_is_a_course_to_their_referral() -> None:
    rows = {
        "pat_1": row("pat_1", Risk.ON_COURSE, courses=(COURSE,), referrals=(REFERRAL,)),
        "pat_2": row("pat_2", Risk.REVIEW, referrals=(REFERRAL,)),
        "pat_3": row("pat_3", Risk.CRISIS_HIGH),
    }
    found = {line.patient_id: line for line in lines_of([hit(f"pat_{n}") for n in range(1, 5)], rows)}
    assert found["pat_1"].href == "/people/pat_1"
    assert found["pat_2"].href == "/intake/ref_1"
    assert found["pat_3"].href == "/people/pat_3"
    assert (found["pat_4"].href, found["pat_4"].risk, found["pat_4"].action) == (None, None, "")


def test_a_name_is_shown_whole_unless_it_is_very_long_and_an_id_where_there_is_none() -> None:
    hits = [
        hit("pat_123456789", None, None),
        hit("pat_2", "Ana", None),
        hit("pat_3", "A" * 200, "B" * 200),
        hit("pat_4", birth_date="1985-06-01"),
    ]
    lines = lines_of(hits, {})
    assert [line.name for line in lines[:2]] == ["pat 123456", "Ana"]
    assert lines[2].name == "A" * 80 + "…"
    assert [line.born and line.born.isoformat() for line in lines] == [None, None, None, "1985-06-01"]
