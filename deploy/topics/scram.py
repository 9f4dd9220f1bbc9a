"""The Kafka request that sets a user's password (SCRAM), which aiokafka lacks."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

SHA_512, ITERATIONS, SALT_BYTES = 2, 8192, 24


class Altered(Response):  # type: ignore[misc]  # aiokafka tells no types
    """`results`: user, error code, error message, tags."""

    API_KEY, API_VERSION = 51, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentials(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION = 51, 0
    RESPONSE_TYPE = Altered
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class GivePasswords(Request[AlterUserScramCredentials]):  # type: ignore[misc]
    """Creates or changes passwords by user. Sends Kafka a salted hash, never the password."""

    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._upsertions = [_upsertion(user, password) for user, password in passwords.items()]

    def build(self, request_struct_class: type[Any]) -> AlterUserScramCredentials:
        built: AlterUserScramCredentials = request_struct_class([], self._upsertions, {})
        return built


def _upsertion(user: str, password: str) -> tuple[str, int, int, bytes, bytes, dict[int, bytes]]:
    salt = os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return user, SHA_512, ITERATIONS, salt, salted, {}
