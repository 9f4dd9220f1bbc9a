"""Catalogue lines 1 to 3: who gets in."""

import base64
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from shared.auth import (
    InvalidToken,
    KeysUnavailable,
    Verifier,
    mint,
    new_development_key,
    over_https,
    public_jwks,
)
from shared.settings import Settings
from tests.support.http_sample import KEY, bearer, client, sample_app, token, verifier


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _unsigned() -> str:
    claims = {"sub": "s", "roles": ["clinician"], "clinic": "*", "iss": "kith", "aud": "kith", "iat": 0}
    return f"{_part({'alg': 'none', 'kid': KEY['kid']})}.{_part(claims | {'exp': 2**40, 'jti': '1'})}."


def _signed_with_the_public_key_as_a_secret() -> str:
    public = json.dumps(public_jwks(KEY)["keys"][0])
    claims = jwt_claims()
    header = {"alg": "HS256", "kid": KEY["kid"]}
    return jwt.encode(header, claims, OctKey.import_key(public * 2), algorithms=["HS256"])


def jwt_claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"sub": "s", "roles": ["clinician"], "clinic": "*", "iss": "kith", "aud": "kith", "jti": "1"}
    return {**claims, "iat": now, "exp": now + 60, **changed}


def signed(claims: dict[str, Any]) -> str:
    header = {"alg": "ES256", "kid": KEY["kid"]}
    return jwt.encode(header, claims, ECKey.import_key(KEY), algorithms=["ES256"])


IMPOSTOR = {**new_development_key(), "kid": KEY["kid"]}
LINES = "a\nb"
BAD_HEADERS = {
    "missing": None,
    "another scheme": "Basic c29tZWJvZHk6eA==",
    "empty": "Bearer ",
    "no token at all": "Bearer certainly",
    "alg none": f"Bearer {_unsigned()}",
    "symmetric": f"Bearer {_signed_with_the_public_key_as_a_secret()}",
    "expired": f"Bearer {token(now=time.time() - 90_000)}",
    "issued in the future": f"Bearer {token(now=time.time() + 3_600)}",
    "wrong audience": f"Bearer {token(audience='elsewhere')}",
    "wrong issuer": f"Bearer {token(issuer='elsewhere')}",
    "another key of the same name": f"Bearer {mint(IMPOSTOR, subject='s', roles=['engineer'])}",
    "unknown key": f"Bearer {mint(new_development_key(), subject='s', roles=['engineer'])}",
    "no clinic": f"Bearer {signed(jwt_claims(clinic=None))}",
    "roles that are no list": f"Bearer {signed(jwt_claims(roles='engineer'))}",
    "a subject with a line break": f"Bearer {signed(jwt_claims(sub=LINES))}",
    "an expiry beyond numbers": f"Bearer {signed(jwt_claims(exp=10**400))}",
    "very long": "Bearer " + "a" * 9_000,
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
async def test_a_token_that_is_not_good_is_answered_with_401(kind: str) -> None:
    header = BAD_HEADERS[kind]
    async with client(sample_app(), {"Authorization": header} if header else {}) as http:
        answer = await http.get("/entries")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["reason"] == "token_required"


async def test_a_route_that_forgot_to_ask_for_a_caller_still_needs_a_token() -> None:
    async with client(sample_app()) as http:
        assert (await http.get("/forgotten")).status_code == 401
        assert (await http.get("/nowhere")).status_code == 401
        assert (await http.get("/forgotten", headers=bearer())).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/health/live", "/health/ready", "/health/serving", "/metrics", "/openapi.json", "/asyncapi.json"],
)
async def test_health_metrics_and_contracts_need_no_token(path: str) -> None:
    async with client(sample_app()) as http:
        assert (await http.get(path)).status_code == 200


async def test_another_clinics_entry_is_as_if_absent() -> None:
    async with client(sample_app()) as http:
        foreign = await http.get("/entries/e1", headers=bearer(clinic="clinic-elsewhere"))
        everywhere = await http.get("/entries/e1", headers=bearer(clinic="*"))
        here = await http.get("/entries/e1", headers=bearer())
    assert (foreign.status_code, everywhere.status_code, here.status_code) == (404, 200, 200)
    assert foreign.json()["reason"] == "not_found"
    assert "e1" not in foreign.text


async def test_a_clinician_on_an_engineers_route_is_answered_with_403_and_the_role() -> None:
    async with client(sample_app(), bearer("clinician")) as http:
        answer = await http.get("/engine")
    assert answer.status_code == 403
    assert "engineer" in answer.json()["detail"]


async def test_production_refuses_development_keys_even_if_the_key_set_holds_them() -> None:
    with pytest.raises(InvalidToken):
        await verifier(development=False).caller(token())


async def test_a_token_accepted_once_is_refused_as_soon_as_it_expires() -> None:
    moment = [time.time()]
    patient = verifier(now=lambda: moment[0])
    short = token(lifetime=timedelta(seconds=60))
    assert (await patient.caller(short)).subject == "somebody"
    moment[0] += 70
    with pytest.raises(InvalidToken):
        await patient.caller(short)


class Source:
    """A key set somebody rotates, and how often it was asked for."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys, self.asked, self.down = list(keys), 0, False

    async def __call__(self) -> bytes:
        self.asked += 1
        if self.down:
            raise OSError
        return json.dumps(public_jwks(*self.keys)).encode()

    def verifier(self, moment: list[float]) -> Verifier:
        return Verifier(self, issuer="kith", audience="kith", development=True, now=lambda: moment[0])


async def test_an_unknown_key_is_looked_up_again_but_at_most_every_thirty_seconds() -> None:
    moment, new = [time.time()], new_development_key()
    source = Source(KEY)
    patient = source.verifier(moment)
    await patient.caller(token())
    source.keys.append(new)
    fresh = mint(new, subject="s", roles=["engineer"])
    for _ in range(5):
        with pytest.raises(InvalidToken):
            await patient.caller(fresh)
    assert source.asked == 1
    moment[0] += 31
    assert (await patient.caller(fresh)).roles == {"engineer"}
    assert source.asked == 2


async def test_a_key_taken_out_of_the_set_stops_working_within_ten_minutes() -> None:
    moment = [time.time()]
    source = Source(KEY)
    patient = source.verifier(moment)
    valid = token()
    await patient.caller(valid)
    source.keys = [new_development_key()]
    moment[0] += 601
    with pytest.raises(InvalidToken):
        await patient.caller(valid)


async def test_known_keys_stay_good_while_their_source_is_down() -> None:
    moment = [time.time()]
    source = Source(KEY)
    patient = source.verifier(moment)
    await patient.caller(token())
    source.down = True
    moment[0] += 601
    assert (await patient.caller(token())).subject == "somebody"


async def test_without_any_key_the_answer_is_503_and_not_401() -> None:
    source = Source(KEY)
    source.down = True
    with pytest.raises(KeysUnavailable):
        await source.verifier([time.time()]).caller(token())
    app = sample_app(verifier=source.verifier([time.time()]))
    async with client(app, bearer()) as http:
        answer = await http.get("/entries")
    assert (answer.status_code, answer.json()["reason"]) == (503, "token_keys_unavailable")


async def test_what_is_no_key_set_is_never_taken_for_one() -> None:
    for text in (b"", b"[]", b'{"keys": 3}', b"x" * 70_000):

        async def fetch(text: bytes = text) -> bytes:
            return text

        with pytest.raises(KeysUnavailable):
            await Verifier(fetch, issuer="kith", audience="kith", development=True).caller(token())


async def test_keys_come_from_a_file_in_development_and_only_there(tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(public_jwks(KEY)))
    settings = Settings(environment="development", jwks=str(keys))
    assert (await Verifier.from_settings(settings).caller(token())).clinic == "clinic-here"
    with pytest.raises(ValueError, match="https"):
        Verifier.from_settings(settings.model_copy(update={"environment": "production"}))
    with pytest.raises(ValueError, match="https"):
        Verifier.from_settings(settings.model_copy(update={"jwks": "http://keys.example"}))


async def test_a_key_set_that_cannot_be_reached_over_https_is_an_error_of_the_network() -> None:
    with pytest.raises(httpx2.HTTPError):
        await over_https("https://127.0.0.1:1/jwks")()
