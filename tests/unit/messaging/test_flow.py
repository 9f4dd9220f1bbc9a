"""How far a process has read, as it tells others."""

from shared.messaging.flow import Flow, Place

MINE: Place = ("care_plan.plans", 0)
SHARED: Place = ("care_plan.plans", 1)


def test_a_partition_that_went_to_another_member_and_came_back_is_not_where_we_left_it() -> None:
    flow = Flow()
    flow.note_assigned("work", {MINE, SHARED})
    flow.note_consumed("work", {MINE: 7, SHARED: 5})
    flow.note_assigned("work", {MINE})
    flow.note_assigned("work", {MINE, SHARED})
    assert flow.consumed["work"] == {MINE: 7}


def test_what_one_subscription_reads_says_nothing_about_another() -> None:
    flow = Flow()
    flow.note_consumed("work", {SHARED: 5})
    flow.note_consumed("crisis", {SHARED: 3})
    flow.note_assigned("work", set())
    assert flow.consumed == {"work": {}, "crisis": {SHARED: 3}}
