from collections.abc import AsyncIterator

import pytest

from shared.mongo import Driver, MongoDatabase
from tests.support.letters import open_database


@pytest.fixture(params=["motor", "pymongo"])
async def database(
    request: pytest.FixtureRequest, mongodb_uri: str, database_name: str
) -> AsyncIterator[MongoDatabase]:
    """A database of the test's own, on both drivers."""
    driver: Driver = request.param
    database = await open_database(mongodb_uri, f"{database_name}care_plan", driver)
    yield database
    await database.close()


@pytest.fixture
async def sender(mongodb_uri: str, database_name: str) -> AsyncIterator[MongoDatabase]:
    database = await open_database(mongodb_uri, f"{database_name}intake")
    yield database
    await database.close()


@pytest.fixture
async def receiver(mongodb_uri: str, database_name: str) -> AsyncIterator[MongoDatabase]:
    database = await open_database(mongodb_uri, f"{database_name}care_plan")
    yield database
    await database.close()
