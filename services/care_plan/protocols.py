"""The protocol file shipped with the service."""

from functools import cache, lru_cache
from pathlib import Path

from services.care_plan.domain.protocol import Contract, Protocol, ProtocolFile, contract

FILE = Path(__file__).with_name("protocol.json")


@cache
def protocols() -> ProtocolFile:
    return ProtocolFile.model_validate_json(FILE.read_bytes())


def protocol_today() -> Protocol:
    """The version new plans are pinned to."""
    return protocols().version(protocols().current)


@lru_cache(maxsize=256)
def contract_today(variant: str, sessions: int) -> Contract:
    """A contract under the current protocol. Refuses `unknown_variant`, `sessions_out_of_bounds`."""
    return contract(protocol_today(), variant, sessions)
