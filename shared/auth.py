"""Bearer tokens: ES256, verified against public keys from a JWKS.

Claims: `sub`, `roles` (list), `clinic` (`*` or a clinic id), `iss`, `aud`, `exp`, `iat`, `jti`; the header
names the key (`kid`). Development keys have a `kid` that begins with `dev-`; production refuses all of them.
Tokens expire in real time, even with a stepped clock.
"""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx2
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from shared.http.caller import ROLES, Caller
from shared.settings import Settings

log = structlog.get_logger()

ALGORITHMS = ["ES256"]
DEVELOPMENT_PREFIX = "dev-"
MAX_TOKEN = 8_192
MAX_JWKS = 65_536
REFRESH_SECONDS = 30.0
KEEP_SECONDS = 600.0
LEEWAY_SECONDS = 5
REMEMBERED = 4_096

SUBJECT = re.compile(r"[A-Za-z0-9_\-.:@|]{1,100}")
CLINIC = re.compile(r"\*|[A-Za-z0-9_\-:.]{1,100}")

Jwk = dict[str, Any]


class InvalidToken(Exception):
    """The token is not valid, or no longer valid (401)."""


class KeysUnavailable(Exception):
    """The public keys could not be fetched (503)."""


class Verifier:
    """Turns a bearer token into a `Caller`.

    `fetch` reads the JWKS. Keys are fetched again after ten minutes, and for an unknown `kid`, but at most
    every 30 s (every second while there are none). If that fails, the present keys remain valid.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        issuer: str,
        audience: str,
        development: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._development = development
        self._now = now
        self._keys: dict[str, ECKey] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(self._now()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Keys from `settings.jwks`: an https address or, in development, a file."""
        development = settings.environment == "development"
        if settings.jwks.startswith("https://"):
            fetch = over_https(settings.jwks)
        elif development and "://" not in settings.jwks:
            fetch = from_file(Path(settings.jwks))
        else:
            raise ValueError("jwks must be an https address or, in development, a file")
        return cls(
            fetch, issuer=settings.token_issuer, audience=settings.token_audience, development=development
        )

    async def caller(self, token: str) -> Caller:
        """Raises `InvalidToken` or `KeysUnavailable`."""
        digest = hashlib.sha256(token.encode()).digest()
        if self._now() - self._fetched < KEEP_SECONDS and (known := self._known.get(digest)) is not None:
            caller, expires = known
            if self._now() < expires:
                return caller
        caller, expires = await self._verified(token)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[digest] = caller, expires
        return caller

    async def _verified(self, token: str) -> tuple[Caller, float]:
        if len(token) > MAX_TOKEN:
            raise InvalidToken
        key = await self._key(_kid(token))
        try:
            claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
            return _caller(claims), float(claims["exp"]) + LEEWAY_SECONDS
        except (JoseError, ValueError, TypeError, OverflowError):
            raise InvalidToken from None

    async def _key(self, kid: str) -> ECKey:
        if kid.startswith(DEVELOPMENT_PREFIX) and not self._development:
            raise InvalidToken
        stale = self._now() - self._fetched >= KEEP_SECONDS
        if (stale or kid not in self._keys) and self._now() - self._tried >= REFRESH_SECONDS:
            await self._refresh()
        if not self._keys:
            raise KeysUnavailable
        if kid not in self._keys:
            raise InvalidToken
        return self._keys[kid]

    async def _refresh(self) -> None:
        async with self._fetching:
            if self._now() - self._tried < REFRESH_SECONDS:
                return
            try:
                keys = _public_keys(await self._fetch(), development=self._development)
            except (OSError, httpx2.HTTPError, ValueError, JoseError) as error:
                log.warning("token keys could not be read", error=type(error).__name__)
            else:
                self._keys, self._fetched = keys, self._now()
                self._known.clear()
            finally:
                self._tried = self._now() - (0.0 if self._keys else REFRESH_SECONDS - 1.0)


def _kid(token: str) -> str:
    """Return the key's name from the header, which is not verified yet. Raises `InvalidToken`."""
    head = token.split(".", 1)[0]
    try:
        kid = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidToken from None
    if not isinstance(kid, str):
        raise InvalidToken
    return kid


def _caller(claims: dict[str, Any]) -> Caller:
    subject, roles, clinic = claims["sub"], claims.get("roles"), claims.get("clinic")
    if not (isinstance(roles, list) and isinstance(clinic, str)):
        raise InvalidToken
    if SUBJECT.fullmatch(subject) is None or CLINIC.fullmatch(clinic) is None:
        raise InvalidToken
    return Caller(subject, frozenset(role for role in ROLES if role in roles), clinic)


def _public_keys(jwks: bytes, *, development: bool) -> dict[str, ECKey]:
    """Return P-256 keys by `kid`, ignoring other kinds. Raises `ValueError` for an invalid JWKS."""
    if len(jwks) > MAX_JWKS:
        raise ValueError("too large")
    document = json.loads(jwks)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a key set")
    keys = {}
    for jwk in document["keys"]:
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        if not isinstance(kid, str) or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
            continue
        if development or not kid.startswith(DEVELOPMENT_PREFIX):
            keys[kid] = ECKey.import_key(jwk)
    return keys


def over_https(address: str) -> Callable[[], Awaitable[bytes]]:
    async def fetch() -> bytes:
        async with httpx2.AsyncClient(timeout=5.0, follow_redirects=False) as client:
            response = await client.get(address)
            response.raise_for_status()
            return response.content

    return fetch


def from_file(path: Path) -> Callable[[], Awaitable[bytes]]:
    async def fetch() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return fetch


def new_development_key() -> Jwk:
    """Create a private key for tokens on a local machine; production refuses it by its `kid`."""
    key = ECKey.generate_key("P-256", {"kid": DEVELOPMENT_PREFIX + secrets.token_hex(4), "use": "sig"})
    return dict(key.as_dict(private=True))


def public_jwks(*private_jwks: Jwk) -> dict[str, list[Jwk]]:
    """Return the public parts of these keys as a JWKS, for verifiers."""
    return {"keys": [dict(ECKey.import_key(jwk).as_dict(private=False)) for jwk in private_jwks]}


def mint(
    private_jwk: Jwk,
    *,
    subject: str,
    roles: Iterable[str],
    clinic: str = "*",
    issuer: str = "kith",
    audience: str = "kith",
    lifetime: timedelta = timedelta(hours=12),
    now: float | None = None,
) -> str:
    """Sign a token for the embedded stack and for tests; elsewhere an identity provider signs them."""
    issued = int(time.time() if now is None else now)
    claims = {
        "sub": subject,
        "roles": sorted(roles),
        "clinic": clinic,
        "iss": issuer,
        "aud": audience,
        "iat": issued,
        "exp": issued + int(lifetime.total_seconds()),
        "jti": secrets.token_hex(8),
    }
    header = {"alg": "ES256", "kid": private_jwk["kid"]}
    return jwt.encode(header, claims, ECKey.import_key(private_jwk), algorithms=ALGORITHMS)
