"""What becomes of an alert, folded from what alerts announces about it."""

from typing import Any

import pytest

from services.dashboard import inbound
from services.dashboard.domain.alert import Alert
from services.dashboard.domain.alerting import WHILE_IN_HAND, changed, raised
from services.dashboard.domain.person import UNKNOWN
from services.dashboard.domain.risk import Risk, standing
from tests.support.courses import BEGIN, alerted, alone, later

ESCALATIONS = (
    "not_acknowledged", "lease_expired", "step_empty", "step_unreachable", "severity_raised", "new_evidence",
    "contact_overdue", "assessment_overdue",
)  # fmt: skip


def crisis(*facts: inbound.AlertFact, severity: str = "low") -> Alert:
    alert = raised(
        alerted(
            inbound.AlertRaised, severity=severity, reason="crisis_flag", raised_at=BEGIN,
            acknowledge_by=later(hours=8),
        )
    )  # fmt: skip
    for fact in facts:
        alert = changed(alert, fact)
    return alert


def taken(**said: Any) -> inbound.AlertAcknowledged:
    usual = {"by": "cln_r01", "acknowledged_at": later(hours=1), "lease_until": later(hours=8)}
    return alerted(inbound.AlertAcknowledged, **{"in_time": True, **usual, **said})


def climbed(reason: str, **said: Any) -> inbound.AlertEscalated:
    usual = {"step": 1, "role": "supervisor", "escalated_at": later(hours=24)}
    return alerted(inbound.AlertEscalated, **{"reason": reason, **usual, **said})


@pytest.mark.parametrize("reason", ESCALATIONS)
def test_a_crisis_that_climbs_is_in_nobodys_hands_unless_it_climbs_while_in_hand(reason: str) -> None:
    state = "acknowledged" if reason in WHILE_IN_HAND else "open"
    assert crisis(taken(), climbed(reason)).state == state


def test_every_reason_to_climb_is_known_here() -> None:
    from services.alerts.events import AlertEscalated

    assert set(AlertEscalated.model_fields["reason"].annotation.__args__) == set(ESCALATIONS)  # type: ignore[union-attr]


def test_a_low_crisis_whose_lease_ended_overnight_is_open_again_when_it_climbs_in_the_morning() -> None:
    lapsed = crisis(taken(), climbed("not_acknowledged"))
    assert (lapsed.state, lapsed.lease_until) == ("open", None)
    assert standing(alone(lapsed)).risk is Risk.CRISIS_LOW


def test_somebody_told_after_the_lease_ran_out_says_that_nobody_has_it() -> None:
    told = {"delivery_id": "d", "step": 0, "contact_id": "c", "channel": "inbox", "outcome": "delivered",
            "reason": "delivered", "attempts": 1}  # fmt: skip
    within = alerted(inbound.AlertNotified, **told, at=later(hours=8))
    after = alerted(inbound.AlertNotified, **told, at=later(hours=18))
    assert crisis(taken(), within).state == "acknowledged"
    assert crisis(taken(), after).state == "open"


def test_a_lesser_alert_in_hand_is_open_again_once_its_severity_rises() -> None:
    worse = alerted(inbound.AlertJoined, severity="high", reason="crisis_flag", joined_at=later(hours=2))
    same = alerted(inbound.AlertJoined, severity="low", reason="crisis_flag", joined_at=later(hours=2))
    assert crisis(taken(), worse).state == "open"
    assert crisis(taken(), same).state == "acknowledged"


@pytest.mark.parametrize("severity", ["low", "routine"])
def test_an_alert_in_hand_is_open_again_once_alerts_says_that_what_joined_reopened_it(severity: str) -> None:
    joined = alerted(
        inbound.AlertJoined, severity=severity, reason="crisis_flag", joined_at=later(hours=2), reopened=True
    )
    again = crisis(taken(), joined)
    assert (again.state, again.lease_until, again.handed_to) == ("open", None, None)
    assert standing(alone(again)).risk is not Risk.CRISIS_TAKEN


def test_what_joined_reopens_nothing_unless_it_says_so() -> None:
    joined = alerted(inbound.AlertJoined, severity="low", reason="crisis_flag", joined_at=later(hours=2))
    assert not joined.reopened, "a fact of an older version says nothing of it"
    assert crisis(taken(), joined).state == "acknowledged"


def test_what_was_handed_over_is_kept_until_the_answer_is_due() -> None:
    asked = alerted(
        inbound.AlertHandedOver, by="cln_r01", contact_id="con_2", handed_over_at=later(hours=2),
        answer_by=later(hours=10),
    )  # fmt: skip
    assert crisis(taken(), asked).lease_until == later(hours=10)
    assessed = alerted(inbound.AlertAssessed, by="cln_r01", assessed_at=later(hours=2))
    assert crisis(taken(), assessed, asked).lease_until is None, "an assessment ended the lease"


def test_an_alert_that_learned_its_clinic_is_shown_there() -> None:
    lost = crisis().model_copy(update={"clinic_id": UNKNOWN})
    found = changed(lost, climbed("not_acknowledged"))
    assert found.clinic_id == "riverside"
    assert changed(found, climbed("not_acknowledged", clinic_id=UNKNOWN)).clinic_id == "riverside"


def test_a_severity_that_rises_sets_the_limit_anew() -> None:
    worse = alerted(
        inbound.AlertJoined, severity="high", reason="crisis_flag", joined_at=later(hours=2),
        acknowledge_by=later(hours=2, minutes=5),
    )  # fmt: skip
    assert crisis(worse).acknowledge_by == later(hours=2, minutes=5)
    assert crisis(worse, climbed("not_acknowledged")).acknowledge_by == later(hours=2, minutes=5), (
        "a fact of an older version says nothing of it"
    )


def test_a_lease_that_ran_out_sets_the_limit_anew() -> None:
    again = climbed("lease_expired", acknowledge_by=later(hours=30))
    assert crisis(taken(), again).acknowledge_by == later(hours=30)


def test_severity_and_limit_of_the_first_taking_stay() -> None:
    worse = alerted(
        inbound.AlertJoined, severity="high", reason="crisis_flag", joined_at=later(hours=2),
        acknowledge_by=later(hours=2, minutes=5),
    )  # fmt: skip
    retaken = taken(severity="high", by="cln_r02", acknowledged_at=later(hours=3))
    alert = crisis(taken(), worse, retaken)
    assert (alert.first_severity, alert.first_limit) == ("low", later(hours=8))
    assert alert.first_acknowledged_at == later(hours=1)


def test_an_alert_taken_before_the_first_taking_was_kept_counts_by_what_it_knows() -> None:
    old = crisis(taken()).model_copy(update={"first_acknowledged_at": None, "first_severity": None})
    again = changed(old, taken(acknowledged_at=later(hours=3)))
    assert (again.first_acknowledged_at, again.first_severity) == (later(hours=1), None)
