"""Signs of danger, and the region beside the phases."""

import itertools
from datetime import datetime, timedelta

import pytest

from services.care_plan.domain import crisis
from services.care_plan.domain.crisis import AlertState, CrisisRegion, Cssrs, no_crisis, note_alert
from services.care_plan.domain.measures import Phq9
from services.care_plan.salvage import signs_in_refused
from tests.unit.care_plan.builders import NOW, new_plan, phq9

NO = {"q1": False, "q2": False, "q6": False}
IDEATION = {"q1": True, "q2": True, "q3": False, "q4": False, "q5": False, "q6": False}


def cssrs(**answers: bool | None) -> Cssrs:
    return Cssrs(**answers)


@pytest.mark.parametrize(
    ("answers", "evidence"),
    [
        (NO, ()),
        ({**NO, "q1": True}, ("cssrs_low",)),
        (IDEATION, ("cssrs_low",)),
        ({**IDEATION, "q3": True}, ("cssrs_moderate",)),
        ({**NO, "q6": True, "q6_recent": False}, ("cssrs_moderate",)),
        ({**IDEATION, "q4": True}, ("cssrs_high",)),
        ({**IDEATION, "q5": True}, ("cssrs_high",)),
        ({**NO, "q6": True, "q6_recent": True}, ("cssrs_high",)),
        ({"q1": False, "q2": False}, ("unassessable",)),
        ({"q1": True, "q2": True, "q6": False}, ("cssrs_low", "unassessable")),
        ({**NO, "q6": True}, ("cssrs_moderate", "unassessable")),
        ({**NO, "q4": True}, ("cssrs_high", "unassessable")),
    ],
)
def test_the_screener_is_triaged_and_never_summed(
    answers: dict[str, bool], evidence: tuple[str, ...]
) -> None:
    assert crisis.triage(cssrs(**answers)) == evidence


def test_item_nine_is_positive_whatever_the_total() -> None:
    for item9 in (1, 2, 3):
        signs = crisis.signs_in(phq9(item9, item9=item9), None)
        assert signs is not None
        assert (signs.severity, signs.evidence) == ("moderate", ("phq9_item9",))


def test_a_zero_or_a_missing_item_nine_says_nothing() -> None:
    assert crisis.signs_in(phq9(14), None) is None
    assert crisis.signs_in(Phq9(items=(None,) * 9), None) is None


def test_an_unreadable_item_nine_is_moderate_and_unassessable() -> None:
    signs = crisis.signs_in(Phq9(items=(0,) * 8 + (None,), item9_unreadable=True), None)
    assert signs == crisis.UNASSESSABLE


def test_the_gravest_sign_decides() -> None:
    high = crisis.signs_in(phq9(3, item9=1), cssrs(**{**IDEATION, "q4": True}))
    assert high is not None
    assert (high.severity, high.evidence) == ("high", ("phq9_item9", "cssrs_high"))


def test_beside_a_complete_screener_that_one_says_how_grave_item_nine_is() -> None:
    signs = crisis.signs_in(phq9(3, item9=1), cssrs(**NO))
    assert signs is not None
    assert signs.severity == "low"
    half = crisis.signs_in(phq9(3, item9=1), cssrs(q1=False))
    assert half is not None
    assert half.severity == "moderate"


def test_a_screener_nobody_filled_in_says_nothing() -> None:
    assert crisis.signs_in(None, Cssrs()) is None


def test_a_flag_opens_the_region_before_alerts_have_answered() -> None:
    plan, region, flag = crisis.raise_flag(new_plan(), no_crisis("pat_1", "riverside"), crisis.EXPLICIT, NOW)
    assert (flag.severity, flag.evidence, flag.plan_id) == ("high", ("explicit",), plan.id)
    assert region.state == "open"
    _, _, second = crisis.raise_flag(plan, region, crisis.EXPLICIT, NOW)
    assert second.flag_id != flag.flag_id


STEPS: tuple[AlertState, ...] = ("open", "acknowledged", "assessed", "resolved")


def test_the_region_follows_an_alert_to_its_resolution() -> None:
    region, seen = no_crisis("pat_1", "riverside"), []
    assert region.state == "none"
    for state in STEPS:
        region = note_alert(region, "al_1", state)
        seen.append((region.state, region.unresolved))
    assert seen == [("open", True), ("acknowledged", True), ("assessed", True), ("resolved", False)]


def test_evidence_that_reopens_a_crisis_asks_for_everything_anew_unless_it_is_resolved() -> None:
    for state in STEPS:
        region = note_alert(no_crisis("pat_1", "riverside"), "al_1", state)
        again = note_alert(region, "al_1", "open", reopened=True)
        assert again.state == ("resolved" if state == "resolved" else "open")
        assert note_alert(region, "al_1", "open").state == state


def test_two_alerts_in_any_order_end_in_the_same_region() -> None:
    facts = [(alert, state) for alert in ("al_1", "al_2") for state in STEPS]
    ends = set()
    for order in itertools.permutations(facts[:4] + facts[4:6], 6):
        region = no_crisis("pat_1", "riverside")
        for alert, state in order:
            region = note_alert(region, alert, state)
        ends.add(region)
    assert len(ends) == 1
    assert ends.pop().state == "acknowledged"


def test_the_resolution_of_another_crisis_does_not_answer_a_flag() -> None:
    region = note_alert(no_crisis("pat_1", "riverside"), "al_1", "open")
    _, region, flag = crisis.raise_flag(new_plan(), region, crisis.EXPLICIT, NOW)
    region = crisis.forget_flags(note_alert(region, "al_1", "resolved"), NOW + timedelta(minutes=1))
    assert region.state == "open"
    region = crisis.answer_flag(note_alert(region, "al_2", "open"), flag.flag_id)
    assert note_alert(region, "al_2", "resolved").state == "resolved"


def test_a_flag_is_answered_whatever_the_clocks_say() -> None:
    """The service that raised it may be an hour ahead of the one that resolves."""
    _, region, flag = crisis.raise_flag(new_plan(), no_crisis("pat_1", "riverside"), crisis.EXPLICIT, NOW)
    region = crisis.answer_flag(note_alert(region, "al_1", "open"), flag.flag_id)
    region = crisis.forget_flags(note_alert(region, "al_1", "resolved"), NOW - timedelta(hours=1))
    assert region.state == "resolved"


@pytest.mark.parametrize(
    ("flagged_at", "resolved_at", "state"),
    [
        (None, None, "none"),
        (NOW, None, "open"),
        (NOW, NOW - timedelta(hours=1), "open"),
        (NOW, NOW + timedelta(hours=1), "none"),
    ],
)
def test_a_region_of_the_release_before_is_read_and_its_flag_answered_by_the_next_evidence(
    flagged_at: datetime | None, resolved_at: datetime | None, state: str
) -> None:
    stored = no_crisis("pat_1", "riverside").model_dump(exclude={"unanswered"})
    region = CrisisRegion.model_validate({**stored, "flagged_at": flagged_at, "resolved_at": resolved_at})
    assert region.state == state
    assert crisis.answer_flag(region, "flg_of_another").state == "none"


def test_a_flag_that_nobody_answers_is_not_waited_for_beyond_a_crisis_resolved_a_day_later() -> None:
    _, region, _ = crisis.raise_flag(new_plan(), no_crisis("pat_1", "riverside"), crisis.EXPLICIT, NOW)
    region = note_alert(region, "al_2", "resolved")
    assert crisis.forget_flags(region, NOW + timedelta(hours=23)).state == "open"
    assert crisis.forget_flags(region, NOW + timedelta(hours=24)).state == "resolved"


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,2]}, "nonsense": 1}', "moderate"),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,"2"]}}', "moderate"),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,"often"]}}', "moderate"),
        (b'{"phq9": {"items": [0,0,0]}}', "moderate"),
        (b'{"cssrs": {"q4": true}, "outcome": 3}', "high"),
        (b'{"cssrs": "yes"}', "moderate"),
        (b'{"crisis": true}', "high"),
        (b'{"crisis": null}', "moderate"),
        (b'{"crisis": {"a": 1}}', "moderate"),
        (b'{"crisis": false}', None),
        (b'{"phq9": {"items": [9,9,9,9,9,9,9,9,0]}}', None),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,[]]}}', "moderate"),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,1' + b"0" * 400 + b"]}}", "moderate"),
        (b'{"crisis": true, "crisis": false}', "high"),
        (b'{"note": "Jos\xe9", "cssrs": {"q4": true}}', "high"),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,3]}, }', "moderate"),
        (b'{"measures": [{"phq9": {"items": [0,0,0,0,0,0,0,0,3]}}]}', "moderate"),
        (b'{"phq9": {"items": [3,3,3,3,3,3,3,3,0]}, }', None),
        (b"[1, 2]", None),
        (b"nonsense", None),
    ],
)
def test_signs_in_a_refused_request_are_read_leniently(body: bytes, severity: str | None) -> None:
    signs = signs_in_refused(body)
    assert (signs.severity if signs else None) == severity
