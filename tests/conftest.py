"""Fixtures every test may use: real servers, started once per test session and only when asked for."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from deploy.embedded.servers import Mongod
from tests.support.servers import (
    AnyBroker,
    MakeBroker,
    any_broker,
    brokers,
    drop_databases,
    in_containers,
    running_mongod,
)

WHOLE_STACKS = tuple(
    f"tests/{folder}/"
    for folder in (
        "browser",
        "e2e",
        *(
            f"integration/{name}"
            for name in ("backup", "chaos", "cli", "embedded", "migrations", "observability")
        ),
    )
)
"""Where tests start whole stacks: two of those at a time would starve each other on two cores."""


class StacksInOneRow(LoadFileScheduling):  # type: ignore[misc]
    """Files side by side, but all that start whole stacks one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return "stacks" if nodeid.startswith(WHOLE_STACKS) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> StacksInOneRow:
    return StacksInOneRow(config, log)


hypothesis.settings.register_profile("kith", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("kith")


@pytest.fixture(scope="session")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    """The mongod of this test session."""
    async with running_mongod(tmp_path_factory.mktemp("mongod")) as server:
        yield server


@pytest.fixture(scope="session")
async def mongodb_container() -> AsyncIterator[str]:
    """The URI of a MongoDB in a container."""
    from tests.support.containers import mongodb

    async with mongodb() as uri:
        yield uri


@pytest.fixture(scope="session")
def mongodb_uri(request: pytest.FixtureRequest) -> str:
    """The MongoDB in use: the session's own mongod, or a container (see `tests.support.servers`)."""
    if in_containers():
        return str(request.getfixturevalue("mongodb_container"))
    mongod: Mongod = request.getfixturevalue("mongod")
    return mongod.uri


@pytest.fixture
async def database_name(mongodb_uri: str) -> AsyncIterator[str]:
    """A name nobody else uses; also good as `database_prefix`. What starts with it is dropped afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}_"
    yield name
    await drop_databases(mongodb_uri, name)


@pytest.fixture(scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Address of a broker with all declared topics, shared by the test session: keep to your own keys."""
    async with any_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.address


@pytest.fixture
async def make_broker(tmp_path: Path) -> AsyncIterator[MakeBroker]:
    """Starts brokers of a test's own (20 ms each), to be killed and restarted at will."""
    if in_containers():
        pytest.skip("a broker that loses its log is the embedded one: Apache Kafka keeps it on disk")
    async with brokers(tmp_path) as make:
        yield make


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[AnyBroker]:
    """An empty broker for this test alone."""
    async with any_broker(tmp_path) as broker:
        yield broker
