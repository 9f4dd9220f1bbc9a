"""The protocol file as it is shipped with the service."""

from functools import cache
from pathlib import Path

from services.care_plan.domain.protocol import ProtocolFile

FILE = Path(__file__).with_name("protocol.json")


@cache
def protocols() -> ProtocolFile:
    return ProtocolFile.model_validate_json(FILE.read_bytes())
