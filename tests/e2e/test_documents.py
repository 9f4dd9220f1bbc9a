"""The published HTTP documents against the running services."""

import json
from pathlib import Path

import httpx2
import pytest

from deploy.embedded.plan import SERVICES
from shared.auth import mint
from tests.support.http_schemathesis import schemathesis
from tests.support.world import World


@pytest.fixture
def token(kith: World) -> str:
    """Every role at once, in one clinic."""
    key = json.loads(kith.stack.plan.signing_key.read_text())
    return mint(key, subject="tester", roles=["coordinator", "clinician", "engineer"], clinic="riverside")


@pytest.mark.parametrize("service", SERVICES)
async def test_no_request_makes_a_service_fail_or_contradict_its_document(
    kith: World, token: str, tmp_path: Path, service: str
) -> None:
    address = kith.stack.services[service].address
    status, report = await schemathesis(address, token, tmp_path, examples=10)
    assert status == 0, report
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{address}/health/ready")).status_code == httpx2.codes.OK
        assert (await client.get(f"{address}/health/live")).status_code == httpx2.codes.OK


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_serves_its_asyncapi_document(kith: World, service: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        document = (await client.get(f"{kith.stack.services[service].address}/asyncapi.json")).json()
    assert document["asyncapi"].startswith("3.")
    assert document["channels"]
