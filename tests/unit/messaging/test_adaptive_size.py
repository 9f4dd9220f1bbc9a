"""How much a transaction takes after others were given up."""

from contextlib import suppress

from shared.adaptive_size import AdaptiveSize
from shared.mongo import OperationFailure


def taking(adaptive: AdaptiveSize, error: Exception | None = None) -> int:
    with suppress(OperationFailure, ValueError), adaptive.taken() as size:
        if error is not None:
            raise error
    return size


def test_the_size_halves_while_transactions_live_too_short_and_doubles_while_they_are_stored() -> None:
    adaptive, too_old = AdaptiveSize(6), OperationFailure("lived too long", 290)
    assert [taking(adaptive, too_old) for _ in range(4)] == [6, 3, 1, 1]
    assert [taking(adaptive) for _ in range(5)] == [1, 2, 4, 6, 6]


def test_an_error_that_no_smaller_size_avoids_leaves_it_as_it_is() -> None:
    adaptive = AdaptiveSize(6)
    assert [taking(adaptive, ValueError()) for _ in range(2)] == [6, 6]
