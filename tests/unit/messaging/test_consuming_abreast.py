"""A batch in parts that are worked on at once."""

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.consumer import SMALL_BATCH, apart
from tests.support.letters import Delivered

KEYS = st.lists(st.none() | st.binary(max_size=2), min_size=SMALL_BATCH + 1, max_size=3 * SMALL_BATCH)


def records(keys: list[bytes | None]) -> list[Delivered]:
    return [Delivered("intake.referrals", 0, offset, 0, key, b"{}") for offset, key in enumerate(keys)]


@given(KEYS, st.integers(1, 4))
def test_every_record_is_in_one_part_and_a_person_in_no_two_and_in_order(
    keys: list[bytes | None], parts: int
) -> None:
    found = apart(records(keys), parts)
    assert len(found) <= parts
    assert sorted(r.offset for part in found for r in part) == list(range(len(keys)))
    for part in found:
        assert [r.offset for r in part] == sorted(r.offset for r in part)
    people = [{r.key for r in part} for part in found]
    assert sum(len(keys) for keys in people) == len(set.union(*people))


def test_a_small_batch_stays_together() -> None:
    few = records([b"%d" % number for number in range(SMALL_BATCH)])
    assert apart(few, 2) == [few]
