"""TLS of our clients: the authorities they trust, and the certificate they present."""

import ssl
from pathlib import Path


class UnusableFile(ValueError):
    """A certificate or key that cannot be used; `setting` names it, its content is not repeated."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting


def client_context(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None, *, prefix: str = "kafka_"
) -> ssl.SSLContext:
    """Build a context that verifies servers by name against `ca_file` (by default the system's authorities).

    All files are PEM. Raises `UnusableFile`, which names the setting with its `prefix`.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise UnusableFile(f"{prefix}ca_file", _why(error, "no PEM certificates")) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file is not None:
        try:
            # Without this callback OpenSSL would prompt for a password on the terminal.
            context.load_cert_chain(certificate_file, key_file, password=lambda: "")
        except OSError as error:
            why = _why(error, "no PEM certificate with the unencrypted key that belongs to it")
            raise UnusableFile(f"{prefix}certificate_file and {prefix}key_file", why) from None
    return context


def _why(error: OSError, unreadable: str) -> str:
    """Describe an error. `ssl.SSLError` is an `OSError` without a file name."""
    if isinstance(error, ssl.SSLError):
        return f"{unreadable} in it"
    return f"cannot be read ({error.strerror})"
