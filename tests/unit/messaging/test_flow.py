"""How far a process has read, as it tells others."""

from shared.messaging.flow import Flow, Place

MINE: Place = ("care_plan.plans", 0)
SHARED: Place = ("care_plan.plans", 1)


def test_partitions_that_are_shared_out_anew_are_not_where_we_left_them_even_if_they_stay_ours() -> None:
    flow = Flow()
    flow.note_consumed("work", {MINE: 7, SHARED: 5})
    flow.note_assigned("work")
    assert flow.consumed["work"] == {}


def test_what_one_subscription_reads_says_nothing_about_another() -> None:
    flow = Flow()
    flow.note_consumed("work", {SHARED: 5})
    flow.note_consumed("crisis", {SHARED: 3})
    flow.note_assigned("work")
    assert flow.consumed == {"work": {}, "crisis": {SHARED: 3}}
