"""A client of the sample service, with a clinician's token."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.support.http_sample import Storage, bearer, client, sample_app


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
async def http(storage: Storage) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(sample_app(storage), bearer()) as http:
        yield http
