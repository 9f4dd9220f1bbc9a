"""Certificates that end, ended or are not trusted, at a real TLS server."""

from pathlib import Path

from deploy.doctor.certificates import of_file, of_server
from deploy.embedded.ports import LOOPBACK, free_ports
from tests.integration.doctor.tls import certificate, tls_server, trusting


async def test_a_certificate_with_months_left_is_well() -> None:
    async with tls_server(certificate(90)) as port:
        check = await of_server("Kafka TLS", LOOPBACK, port, trusting())
    assert check.ok
    assert "good for 89 days" in check.found


async def test_a_certificate_that_ends_within_a_fortnight_is_named_with_its_server() -> None:
    async with tls_server(certificate(13)) as port:
        check = await of_server("Kafka TLS", LOOPBACK, port, trusting())
    assert not check.ok
    assert check.found == f"{LOOPBACK}:{port} is good for 12 days"
    assert "renew" in check.mend


async def test_an_ended_or_untrusted_certificate_is_told_by_its_reason() -> None:
    async with tls_server(certificate(-1)) as port:
        check = await of_server("Kafka TLS", LOOPBACK, port, trusting())
        assert not check.ok
        assert "expired" in check.found
    async with tls_server(certificate(90)) as port:
        check = await of_server("Kafka TLS", LOOPBACK, port)
        assert not check.ok
        assert "unable to get local issuer certificate" in check.found


async def test_where_nobody_listens_nothing_is_assumed() -> None:
    check = await of_server("Kafka TLS", LOOPBACK, free_ports(1), trusting())
    assert not check.ok
    assert "ConnectionRefusedError" in check.found


def test_our_own_certificate_is_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "client.pem"
    certificate(3).cert_chain_pems[0].write_to_path(path)
    assert not of_file("Kafka TLS", path).ok
    certificate(30).cert_chain_pems[0].write_to_path(path)
    assert of_file("Kafka TLS", path).ok
    path.write_text("nothing")
    assert of_file("Kafka TLS", path).mend == "put a PEM certificate there"
