"""The protocol file: variants, bands, sources."""

import pytest

from services.care_plan.domain.protocol import Contract, contract
from tests.unit.care_plan.builders import protocol, refused


def numbers(agreed: Contract) -> tuple[int, int, int]:
    return agreed.sessions, agreed.initial_sessions, agreed.termination_sessions


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("ipt-16", (16, 4, 4)),
        ("ipt-15", (15, 4, 4)),
        ("ipt-14", (14, 4, 4)),
        ("ipt-13", (13, 4, 4)),
        ("ipt-12", (12, 3, 3)),
        ("ipt-a", (12, 4, 3)),
        ("ipt-b", (8, 2, 2)),
        ("group-ipt", (8, 1, 1)),
    ],
)
def test_each_variant_has_the_bands_of_the_table(variant: str, expected: tuple[int, int, int]) -> None:
    assert numbers(contract(protocol(), variant, expected[0])) == expected


def test_the_rule_for_quarters_agrees_with_both_published_splits() -> None:
    rule = protocol().quarters
    for name in ("ipt-12", "ipt-16"):
        variant = protocol().variant(name)
        assert rule.of(variant.sessions) == variant.initial == variant.termination


def test_a_revised_length_derives_the_phases_anew() -> None:
    assert numbers(contract(protocol(), "ipt-12", 18)) == (18, 5, 5)


def test_a_variant_with_bands_of_its_own_keeps_them_when_revised() -> None:
    assert numbers(contract(protocol(), "ipt-b", 10)) == (10, 2, 2)


@pytest.mark.parametrize(("variant", "sessions"), [("ipt-16", 21), ("ipt-12", 11), ("ipt-b", 13)])
def test_a_length_out_of_bounds_is_refused(variant: str, sessions: int) -> None:
    assert refused(contract, protocol(), variant, sessions) == "sessions_out_of_bounds"


@pytest.mark.parametrize("variant", ["ipt-11", "ipt-17", "cbt", ""])
def test_an_unknown_variant_is_refused(variant: str) -> None:
    assert refused(lambda: protocol().variant(variant)) == "unknown_variant"


def test_every_proposed_entry_asks_for_a_signature() -> None:
    found: list[dict[str, object]] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "source" in node:
                found.append(node)
            for part in node.values():
                walk(part)

    walk(protocol().model_dump())
    assert len(found) > 25
    for entry in found:
        if "proposed" in str(entry["source"]) or "memory" in str(entry["source"]):
            assert entry["sign_off"] == "required"


def test_there_are_the_seven_techniques_and_the_four_goals() -> None:
    assert len(set(protocol().techniques.codes)) == 7
    assert len(set(protocol().goals.codes)) == 4
