"""The development signing key of one data folder, and its public half for the services."""

import json
import os
from datetime import timedelta
from pathlib import Path

DEVELOPERS = {
    "coordinator": "dev-coordinator",
    "clinician": "dev-clinician",
    "engineer": "dev-engineer",
    "service": "dev-service",
}
"""Role → subject of its development token."""

LIFETIME = timedelta(hours=12)


def ensure_keys(signing_key: Path, jwks: Path) -> None:
    """Create the key pair unless it exists; only its owner can read the files."""
    if signing_key.exists() and jwks.exists():
        return
    from shared.auth import new_development_key, public_jwks  # noqa: PLC0415  (slow to load, rarely needed)

    for folder in {signing_key.parent, jwks.parent}:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = new_development_key()
    _write(signing_key, key)
    _write(jwks, public_jwks(key))


def _write(path: Path, value: object) -> None:
    """Write atomically; the file is never readable by others, not even for a moment."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(value, file)
    draft.replace(path)


def development_token(
    signing_key: Path,
    role: str,
    *,
    clinic: str = "*",
    subject: str | None = None,
    lifetime: timedelta = LIFETIME,
) -> str:
    """Mint a token that this key's stack accepts. Raises `FileNotFoundError` before the first start."""
    key = json.loads(signing_key.read_text())
    from shared.auth import mint  # noqa: PLC0415

    return mint(key, subject=subject or DEVELOPERS[role], roles=[role], clinic=clinic, lifetime=lifetime)
