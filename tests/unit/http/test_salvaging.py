"""What a body that is no JSON says of danger."""

import pytest

from shared.salvage import may_speak_of_danger

SPACES = b" " * 260_000


@pytest.mark.parametrize(
    ("body", "danger"),
    [
        (b'{"crisis": false', False),
        (b'{"crisis" :  "no"', False),
        (b'{"crisis": true', True),
        (b'{"crisis":', True),
        (b'{"q4": null', False),
        (b'{"q4":  true', True),
        (b'{"phq9": null', False),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,0]', False),
        (b'{"phq9": {"items": [0,0,0,0,0,0,0,0,1]', True),
        (b'{"item9": "2', True),
    ],
)
def test_what_is_not_plainly_denied_may_be_danger(body: bytes, danger: bool) -> None:
    assert may_speak_of_danger(body) is danger


@pytest.mark.parametrize(("name", "denied"), [("crisis", b"false"), ("q4", b"null"), ("phq9", b"null")])
def test_a_body_of_spaces_is_read_once_and_not_once_for_every_space(name: str, denied: bytes) -> None:
    assert not may_speak_of_danger(b'{"%s"%s:%s%s' % (name.encode(), SPACES, SPACES, denied))
