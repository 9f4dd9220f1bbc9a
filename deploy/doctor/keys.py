"""The public keys that verify people's tokens."""

import base64
import json
from datetime import datetime
from typing import Any

import httpx2
from cryptography import x509

from deploy.doctor import certificates
from deploy.embedded.diagnosis import Check
from shared.auth import DEVELOPMENT_PREFIX, over_https
from shared.settings import Settings

NAME = "token keys"


async def checks(settings: Settings) -> list[Check]:
    served = await certificates.of_address(NAME, settings.jwks)
    try:
        document = json.loads(await over_https(settings.jwks)())
        keys = [key for key in document["keys"] if isinstance(key, dict)]
    except (httpx2.HTTPError, OSError) as error:
        reach = "let this machine reach the identity provider's key address (KITH_JWKS)"
        return [served, Check(NAME, False, f"{settings.jwks}: {type(error).__name__}", reach)]
    except (ValueError, KeyError, TypeError):
        return [
            served,
            Check(NAME, False, f"{settings.jwks} is no key set", "set KITH_JWKS to a JWKS address"),
        ]
    return [served, *of_keys(keys)]


def of_keys(keys: list[dict[str, Any]]) -> list[Check]:
    """Refuse development keys, require one usable key, and check the expiry of certificates in the set."""
    found = []
    if any(str(key.get("kid", "")).startswith(DEVELOPMENT_PREFIX) for key in keys):
        found.append(
            Check(
                NAME,
                False,
                "a development key is among them",
                "take it out of the key set: it signs anybody in",
            )
        )
    usable = [key for key in keys if _usable(key)]
    if not usable:
        mend = "let the identity provider sign with ES256"
        found.append(Check(NAME, False, f"none of {len(keys)} keys is a P-256 key with a kid", mend))
    found += [
        certificates.until_when(NAME, f"key {key['kid']}", _until(key)) for key in usable if key.get("x5c")
    ]
    return found or [Check(NAME, True, f"{len(usable)} usable")]


def _usable(key: dict[str, Any]) -> bool:
    kid = key.get("kid")
    if not isinstance(kid, str) or kid.startswith(DEVELOPMENT_PREFIX):
        return False
    return (key.get("kty"), key.get("crv")) == ("EC", "P-256")


def _until(key: dict[str, Any]) -> datetime:
    first = base64.b64decode(key["x5c"][0])
    return x509.load_der_x509_certificate(first).not_valid_after_utc
