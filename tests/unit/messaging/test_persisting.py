"""A batch is tried until it is taken, in halves where the whole of it never is."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from shared.messaging import consumption
from shared.messaging.consumption import WHOLE_ATTEMPTS, Consumption
from shared.messaging.envelope import Record
from tests.support.letters import Delivered


class Slow(Consumption[Any]):
    """Takes at most so many records in the time that a transaction has."""

    def __init__(self, most: int) -> None:
        self.group = SimpleNamespace(service="s", name="g")  # type: ignore[assignment]
        self.most = most
        self.taken: list[int] = []
        self.attempts = 0

    async def take(self, records: Sequence[Record], *, epoch: str = "") -> None:
        self.attempts += 1
        if len(records) > self.most:
            raise TimeoutError
        self.taken += [record.offset for record in records]


@pytest.mark.parametrize("most", [1, 3, 100])
async def test_a_batch_that_never_fits_into_a_transaction_is_taken_in_order_and_in_parts(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(consumption.asyncio, "sleep", _at_once)
    slow = Slow(most)
    records = [Delivered("t", 0, offset, 0, b"k", b"{}") for offset in range(10)]
    await slow.persist(records, "e")
    assert slow.taken == list(range(10))
    assert slow.attempts > WHOLE_ATTEMPTS or most == 100


async def _at_once(seconds: float) -> None:
    assert seconds > 0
