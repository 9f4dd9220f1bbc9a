"""Whatever order and however often messages come, each has its effect once, and nothing is skipped."""

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.inbox import Arrival, Position
from shared.messaging.lane_relay import in_sequence
from tests.support.letters import message

arrivals = st.lists(st.integers(1, 12), min_size=1, max_size=60)


@given(arrivals)
def test_without_waiting_each_message_has_one_effect(order: list[int]) -> None:
    position, effects = Position("k"), []
    for sequence in order:
        arrival = position.judge(message("r", sequence))
        if arrival in (Arrival.FRESH, Arrival.EARLY):
            position.advance(message("r", sequence))
            effects.append(sequence)
    assert sorted(effects) == sorted(set(order))
    assert all(position.judge(message("r", sequence)) is Arrival.DUPLICATE for sequence in order)


@given(arrivals)
def test_with_waiting_effects_come_in_sequence_without_a_gap(order: list[int]) -> None:
    position, effects = Position("k"), []
    for sequence in order:
        if position.judge(message("r", sequence)) is Arrival.FRESH:
            position.advance(message("r", sequence))
            effects.append(sequence)
    assert effects == list(range(1, len(effects) + 1))
    assert position.sequence == len(effects)


@given(arrivals, st.integers(1, 12))
def test_other_content_under_a_known_number_is_always_noticed(order: list[int], altered: int) -> None:
    position = Position("k")
    for sequence in order:
        if position.judge(message("r", sequence)) in (Arrival.FRESH, Arrival.EARLY):
            position.advance(message("r", sequence))
    judged = position.judge(message("r", altered, amount=999))
    assert (judged is Arrival.ALTERED) == (altered in order)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20)), unique=True, max_size=40))
def test_the_relay_sends_each_subject_in_sequence_and_loses_nothing(sent: list[tuple[str, int]]) -> None:
    messages = [message(subject, sequence) for subject, sequence in sent]
    ordered = in_sequence(messages)
    assert sorted(m.id for m in ordered) == sorted(m.id for m in messages)
    for subject in "abc":
        numbers = [m.sequence for m in ordered if m.subject == subject]
        assert numbers == sorted(numbers)
