"""When a fault strikes, and where a page may ring more than once: both are told by the faults themselves."""

from tests.chaos.faults import FAULTS
from tests.chaos.timeline import windows


def test_only_faults_of_alerts_its_database_and_the_far_ends_touch_pages() -> None:
    of_alerts = {name for name in FAULTS if "alerts" in name}
    of_far_ends = {name for name in FAULTS if name.startswith("receivers ")}
    of_the_database = {"kill mongod", "freeze mongod", "restart mongod", "disk full under mongod"}
    touching = {name for name, fault in FAULTS.items() if fault.touches_pages}
    assert touching == of_alerts | of_far_ends | of_the_database


def test_a_window_touches_pages_if_one_of_its_faults_does() -> None:
    elsewhere, alerts = "network frozen: care_plan and mongod", "network frozen: alerts and mongod"
    plan = windows([(elsewhere,), (elsewhere, alerts)])
    assert [window.touches_pages for window in plan] == [False, False, True]


def test_what_is_done_to_intake_strikes_at_noon() -> None:
    faults = [("kill intake",)] * 2 + [("kill alerts",)] * 2 + [("kill alerts", "freeze intake")] * 2
    at_noon = [window.busy == window.noon for window in windows(faults)]
    assert at_noon == [False, True, True, True, False, True, True]
    assert {name for name, fault in FAULTS.items() if fault.at_noon} == {n for n in FAULTS if "intake" in n}


def test_a_pair_with_a_change_of_the_clocks_stands_where_they_change() -> None:
    spring = FAULTS["clock_spring"].instant
    (_, window) = windows([("clock_spring", "kill alerts")])
    assert window.faults == ("clock_spring", "kill alerts")
    assert window.morning == spring
    assert window.holds(window.morning)
