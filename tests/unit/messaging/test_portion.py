"""How much a transaction takes after others were given up."""

from contextlib import suppress

from shared.mongo import OperationFailure
from shared.portion import Portion


def taking(portion: Portion, error: Exception | None = None) -> int:
    with suppress(OperationFailure, ValueError), portion.taken() as size:
        if error is not None:
            raise error
    return size


def test_a_portion_halves_while_transactions_live_too_short_and_doubles_while_they_are_stored() -> None:
    portion, too_old = Portion(6), OperationFailure("lived too long", 290)
    assert [taking(portion, too_old) for _ in range(4)] == [6, 3, 1, 1]
    assert [taking(portion) for _ in range(5)] == [1, 2, 4, 6, 6]


def test_what_no_smaller_portion_mends_leaves_it_as_it_is() -> None:
    portion = Portion(6)
    assert [taking(portion, ValueError()) for _ in range(2)] == [6, 6]
