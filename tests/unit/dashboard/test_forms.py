"""What is read from every form: the key that makes it happen once, and the version its sender has seen."""

from collections.abc import Callable

import pytest

from services.dashboard.pages.forms import key_of, keyed, new_key, version_seen


@pytest.mark.parametrize("draw", [new_key, lambda: "k1", lambda: "5f2c4e0a-9d1b-4a53-8c6e-2f0d7b1a9e34"])
def test_a_form_goes_under_the_key_it_was_drawn_with(draw: Callable[[], str]) -> None:
    key = draw()
    assert key_of({"idempotency_key": key}) == key


@pytest.mark.parametrize("key", [None, "", "two words", "line\n", "schlüssel", "x" * 65])
def test_a_key_that_no_service_would_take_is_replaced_and_kept_from_then_on(key: str | None) -> None:
    form = {} if key is None else {"idempotency_key": key}
    drawn = keyed(form)
    assert key_of(drawn) == drawn["idempotency_key"] != key
    assert key_of(form) != key_of(form)


@pytest.mark.parametrize("given", [None, "", "-1", "7.0", "٧", "²", '"7"', "9" * 18])
def test_a_form_without_a_version_has_seen_none(given: str | None) -> None:
    assert version_seen({} if given is None else {"if_match": given}) == 0


def test_the_version_is_read_from_where_the_form_has_it() -> None:
    assert version_seen({"if_match": "7"}) == 7
    assert version_seen({"version": "7"}, "version") == 7
