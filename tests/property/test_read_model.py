"""Whatever the order in which topics come, the same facts end in the same read model."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.domain.risk import Risk
from services.dashboard.store import ReadWork, Row
from services.dashboard.subscribers import PEOPLE
from services.intake import events as intake
from shared.messaging.envelope import Envelope
from tests.support.courses import BEGIN, history, later, sealed

STREAMS = history()
TURNS = [number for number, stream in enumerate(STREAMS) for _ in stream]


def folded(messages: list[Envelope]) -> ReadWork:
    work = ReadWork(cast(Any, None), now=BEGIN)
    for message in messages:
        work.message = message
        PEOPLE.reaction(message)(PEOPLE.fact(message), work)
    return work


def in_turns(turns: list[int]) -> list[Envelope]:
    left = [iter(stream) for stream in STREAMS]
    return [next(left[turn]) for turn in turns]


def shown(work: ReadWork) -> dict[str, Any]:
    return cast(Row, work.people.get("pat_1")).model_dump()


IN_ORDER = shown(folded(in_turns(TURNS)))


@given(st.permutations(TURNS))
def test_any_interleaving_of_topics_ends_in_the_same_person(turns: list[int]) -> None:
    assert shown(folded(in_turns(turns))) == IN_ORDER


def test_the_person_is_what_was_announced() -> None:
    course = IN_ORDER["courses"][0]
    assert (course["attended"], course["sessions"], course["missed_in_a_row"]) == (3, 12, 0)
    assert [(a["id"], a["status"], a["overdue"]) for a in course["appointments"]] == [
        ("apt_pat_1_1", "attended", False),
        ("apt_pat_1_2", "missed", False),
        ("apt_pat_1_3", "attended", False),
        ("apt_pat_1_4", "planned", True),
        ("apt_pat_1_5", "cancelled", False),
    ]
    assert [measure["total"] for measure in course["measures"]] == [16, 22, None], "missing stays missing"
    assert [mark["kind"] for mark in course["marks"]] == ["deterioration"]
    assert (IN_ORDER["phase"], course["hold"], IN_ORDER["clinic_id"]) == ("middle", None, "riverside")
    assert (IN_ORDER["risk"], IN_ORDER["action"]) == (Risk.CRISIS_TAKEN, "assess_crisis")


def test_everything_stands_in_the_story_once() -> None:
    work = folded(in_turns(TURNS))
    assert len({row["_id"] for row in work._story}) == len(work._story) == len(TURNS)


def unheard() -> list[list[Envelope]]:
    """The same history, with a flag of intake's that came later and that nobody was alerted for."""
    flag = intake.CrisisFlagRaised(
        patient_id="pat_1", clinic_id="riverside", flag_id="flg_2", referral_id="ref_1", severity="moderate",
        evidence=("phq9_item9",), clinician_id=None, raised_at=later(weeks=4),
    )  # fmt: skip
    return [*STREAMS, sealed("ref_1-crisis", [flag])]


UNHEARD = unheard()


@given(st.permutations([number for number, stream in enumerate(UNHEARD) for _ in stream]))
def test_a_flag_nobody_was_alerted_for_stands_first_whatever_the_order(turns: list[int]) -> None:
    left = [iter(stream) for stream in UNHEARD]
    person = shown(folded([next(left[turn]) for turn in turns]))
    assert (person["risk"], person["action"]) == (Risk.CRISIS_MODERATE, "answer_flag")
    assert person["since"] == later(weeks=4)
