"""Connection arguments of all our Kafka clients, and the diagnosis of refused connections."""

import ssl
from contextlib import suppress
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from faststream.security import BaseSecurity, SASLScram512

from shared.errors import SettingRefused
from shared.settings import KafkaSettings

MECHANISM = "SCRAM-SHA-512"
PROBE_MS = 3000

REFUSED: tuple[tuple[type[Exception], tuple[str, ...], str], ...] = (
    (SaslAuthenticationFailed, ("kafka_username", "kafka_password"), "Kafka refuses them"),
    (UnsupportedSaslMechanismError, ("kafka_security",), f"this listener of Kafka has no {MECHANISM}"),
    (
        IllegalSaslStateError,
        ("kafka_security",),
        "this listener of Kafka knows no SASL; set it to SSL or PLAINTEXT",
    ),
    (ssl.SSLCertVerificationError, ("kafka_ca_file",), "does not vouch for the certificate of Kafka"),
)
"""Errors that retrying will not fix: the error, the settings at fault, and what is wrong with them."""


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Return aiokafka's client arguments for address, encryption and credentials."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security,
        "ssl_context": settings.kafka_tls(),
    }
    if settings.asks_for_password():
        arguments |= {
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return arguments


def security(settings: KafkaSettings) -> BaseSecurity | None:
    """Return encryption and credentials in the form that FastStream's broker takes."""
    context = settings.kafka_tls()
    if settings.asks_for_password():
        password = settings.kafka_password.get_secret_value()
        return SASLScram512(settings.kafka_username, password, ssl_context=context)
    return None if context is None else BaseSecurity(ssl_context=context)


async def require_not_refused(arguments: dict[str, Any]) -> None:
    """Connect once to each server. Raises `SettingRefused` when one refuses us.

    aiokafka's clients report only that they could not connect. An unreachable server is not a refusal.
    """
    given = {name: value for name, value in arguments.items() if name != "bootstrap_servers"}
    for host, port, _ in collect_hosts(arguments["bootstrap_servers"], randomize=False):
        try:
            with suppress(TimeoutError):
                (await create_conn(host, port, request_timeout_ms=PROBE_MS, **given)).close()
        except (KafkaError, OSError) as error:
            if (refusal := _refusal(error)) is not None:
                raise refusal from None


def _refusal(error: Exception) -> SettingRefused | None:
    for kind, names, why in REFUSED:
        if isinstance(error, kind):
            return SettingRefused(*names, why=why)
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        return _tls_refusal(cause)
    return None


def _tls_refusal(error: ssl.SSLError) -> SettingRefused | None:
    reason = (error.reason or "").upper()
    if reason == "WRONG_VERSION_NUMBER":
        return SettingRefused("kafka_security", why="this listener of Kafka does not speak TLS")
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return SettingRefused("kafka_certificate_file", why="Kafka does not accept our certificate")
    return None
