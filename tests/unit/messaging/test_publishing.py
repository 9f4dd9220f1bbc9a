"""Where a message goes and what it is called: our faster ways against the libraries' own."""

from uuid import uuid5

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.envelope import NAMESPACE, derived_id
from shared.messaging.publishing import partition_of


@given(st.text(), st.integers(1, 50))
def test_a_key_goes_where_kafkas_default_partitioner_puts_it(key: str, partitions: int) -> None:
    numbers = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key.encode(), numbers, numbers)


@given(st.text())
def test_an_events_id_is_a_uuid_of_version_5(about: str) -> None:
    assert derived_id(about) == str(uuid5(NAMESPACE, about))
