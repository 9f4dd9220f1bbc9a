"""One notification: attempts, giving up, falling through, asking once more."""

from collections.abc import Sequence
from datetime import timedelta

from services.alerts.domain import delivery as deliveries
from services.alerts.domain.delivery import Delivery, Target, addressed, failed, fall_through
from services.alerts.domain.telling import drafting
from tests.unit.alerts.cases import MONDAY, a_crisis, contact

ONE = contact("one", "on_call", webhook="https://one.example/hook", email="one@example.org")
TWO = contact("two", "on_call", email="two@example.org")
THREE = contact("three", "on_call")


def drafted(target: Target, remaining: Sequence[Target]) -> Delivery:
    alert = a_crisis()
    return drafting([alert], 0, MONDAY)(target, remaining)


def to(made: Sequence[Delivery]) -> list[tuple[str, str]]:
    return [(delivery.contact_id, delivery.channel) for delivery in made]


def test_the_inbox_is_always_told_and_outward_the_first_channel() -> None:
    assert to(addressed([ONE, TWO], "first", drafted)) == [("one", "inbox"), ("one", "webhook")]


def test_everyone_is_reached_at_once_each_by_their_own_first_channel() -> None:
    made = addressed([ONE, TWO, THREE], "all", drafted)
    assert to(made) == [
        ("one", "inbox"),
        ("one", "webhook"),
        ("two", "inbox"),
        ("two", "email"),
        ("three", "inbox"),
    ]
    assert [t.channel for t in made[1].remaining] == ["email"]


def test_a_delivery_is_tried_four_times_over_seventeen_seconds_and_then_given_up() -> None:
    delivery, waits = drafted(Target(contact_id="one", channel="webhook"), ()), []
    now = MONDAY
    while delivery.state == "pending":
        delivery = failed(delivery, "timed_out", now, for_good=False)
        if delivery.next_attempt is not None:
            waits.append(delivery.next_attempt - now)
            now = delivery.next_attempt
    assert waits == [timedelta(seconds=seconds) for seconds in (2, 5, 10)]
    assert (delivery.state, delivery.reason, delivery.attempts) == ("failed", "timed_out", 4)
    assert not delivery.waiting


def test_what_cannot_help_is_not_tried_again() -> None:
    delivery = failed(drafted(Target(contact_id="one", channel="webhook"), ()), "gone", MONDAY, for_good=True)
    assert (delivery.state, delivery.attempts) == ("failed", 1)


def test_giving_up_falls_through_channel_by_channel_and_then_to_the_next_contact() -> None:
    (_, first) = addressed([ONE, TWO, THREE], "first", drafted)
    second = fall_through(failed(first, "gone", MONDAY, for_good=True), MONDAY)
    assert to(second) == [("one", "email")]
    third = fall_through(failed(second[0], "gone", MONDAY, for_good=True), MONDAY)
    assert to(third) == [("two", "inbox"), ("two", "email")]
    fourth = fall_through(failed(third[1], "gone", MONDAY, for_good=True), MONDAY)
    assert to(fourth) == [("three", "inbox")]
    assert fall_through(fourth[0], MONDAY) == ()


def test_the_id_is_the_same_for_the_same_alert_step_round_contact_and_channel_only() -> None:
    target = Target(contact_id="one", channel="email")
    assert deliveries.identify("alr_1", 0, 1, target) == deliveries.identify("alr_1", 0, 1, target)
    others = {
        deliveries.identify("alr_2", 0, 1, target),
        deliveries.identify("alr_1", 1, 1, target),
        deliveries.identify("alr_1", 0, 2, target),
        deliveries.identify("alr_1", 0, 1, Target(contact_id="two", channel="email")),
    }
    assert deliveries.identify("alr_1", 0, 1, target) not in others
    assert len(others) == 4
