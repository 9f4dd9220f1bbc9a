"""How Kafka is reached: what is unsafe or missing is refused, by name, with what mends it."""

from pathlib import Path
from typing import Any

import pytest
import trustme
from faststream.security import SASLScram512
from pydantic import SecretStr, ValidationError

from shared.messaging.connection import connection, security
from shared.process import to_mend
from shared.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(**{"environment": "production", "jwks": "https://id.example/keys"} | given)


def refusal(**given: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        settings(**given)
    (line,) = to_mend(refused.value)
    return line


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A CA and a certificate of it, as files."""
    ca, paths = trustme.CA(), {name: str(tmp_path / f"{name}.pem") for name in ("ca", "certificate", "key")}
    ours = ca.issue_cert("intake")
    ca.cert_pem.write_to_path(paths["ca"])
    ours.cert_chain_pems[0].write_to_path(paths["certificate"])
    ours.private_key_pem.write_to_path(paths["key"])
    return paths


def test_a_problem_is_said_in_our_words_alone() -> None:
    assert "Value error" not in refusal()


def test_production_refuses_an_unencrypted_kafka_unless_it_is_allowed_by_name() -> None:
    assert "kafka_security must be SASL_SSL or SSL in production" in refusal()
    assert settings(kafka_plaintext_allowed=True).kafka_tls() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_security": "SASL_SSL"}, "kafka_username and kafka_password must be set"),
        ({"kafka_security": "SASL_SSL", "kafka_username": "u"}, "kafka_username and kafka_password"),
        ({"kafka_security": "SSL", "kafka_username": "u"}, "set kafka_security"),
        ({"kafka_security": "SASL_PLAINTEXT"}, "kafka_security must be SASL_SSL or SSL in production"),
        ({"environment": "development", "kafka_password": "p"}, "set kafka_security"),
        (
            {"environment": "development", "kafka_security": "SASL_PLAINTEXT"},
            "kafka_security is SASL_PLAINTEXT: kafka_username and kafka_password must be set",
        ),
        ({"environment": "development", "kafka_ca_file": "ca.pem"}, "leaves kafka_ca_file unused"),
        ({"kafka_security": "SSL", "kafka_key_file": "key.pem"}, "kafka_certificate_file must be set"),
        ({"kafka_security": "SSL", "kafka_ca_file": "/nowhere/ca.pem"}, "kafka_ca_file: cannot be read"),
        ({"kafka_security": "SSL", "kafka_ca_file": __file__}, "kafka_ca_file: no PEM certificates"),
    ],
)
def test_what_does_not_fit_together_is_named(given: dict[str, Any], said: str) -> None:
    assert said in refusal(**given)


def test_a_key_that_belongs_to_another_certificate_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("someone").private_key_pem.write_to_path(str(other))
    said = refusal(
        kafka_security="SSL", kafka_certificate_file=files["certificate"], kafka_key_file=str(other)
    )
    assert "kafka_certificate_file and kafka_key_file" in said


def test_clients_are_given_the_certificates_and_the_password(files: dict[str, str]) -> None:
    given = connection(
        settings(
            kafka="one:9093,two:9093",
            kafka_security="SASL_SSL",
            kafka_username="intake",
            kafka_password="word",
            kafka_ca_file=files["ca"],
        )
    )
    assert given["bootstrap_servers"] == "one:9093,two:9093"
    assert (given["sasl_mechanism"], given["sasl_plain_password"]) == ("SCRAM-SHA-512", "word")
    assert given["ssl_context"].check_hostname


def test_a_password_without_tls_is_given_to_clients_and_to_faststream_alike() -> None:
    known = settings(
        environment="development",
        kafka_security="SASL_PLAINTEXT",
        kafka_username="intake",
        kafka_password="word",
    )
    given, told = connection(known), security(known)
    assert (given["security_protocol"], given["ssl_context"]) == ("SASL_PLAINTEXT", None)
    assert given["sasl_plain_password"] == "word"
    assert isinstance(told, SASLScram512)
    assert not told.use_ssl


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_the_line_end_that_an_editor_leaves_belongs_to_no_setting(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "JWKS": "https://id.example/keys",
        "KAFKA_SECURITY": "SASL_SSL",
        "KAFKA_USERNAME": "intake",
        "KAFKA_PASSWORD": " a word ",
        "MONGODB": "mongodb://one/?tls=true",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"KITH_{name}", value + end)
    read = Settings.load()
    assert (read.jwks, read.kafka_username) == ("https://id.example/keys", "intake")
    assert read.kafka_password.get_secret_value() == " a word "
    assert read.mongodb.get_secret_value() == "mongodb://one/?tls=true"


def test_the_line_end_of_a_secret_that_was_given_is_not_part_of_it() -> None:
    given = settings(kafka_security="SASL_SSL", kafka_username="u", kafka_password=SecretStr("word\n"))
    assert given.kafka_password.get_secret_value() == "word"
