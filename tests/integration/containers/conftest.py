"""These tests need containers whatever the other suites run on; they say so where there is no engine."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.containers.building import build_image
from tests.integration.containers.secured import Secured, secured_kafka
from tests.support.containers import missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.parent.name == "containers"]
    if here and (why := missing()):
        for item in here:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def image() -> str:
    return build_image()


@pytest.fixture(scope="session")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    """Shared by the tests of this folder; the first of them has made the topics and rights."""
    async with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka
