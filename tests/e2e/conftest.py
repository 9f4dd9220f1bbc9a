from collections.abc import AsyncIterator

import pytest

from tests.support.world import World, world


@pytest.fixture(scope="module")
async def kith(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A stack of the module's own, in stepped time."""
    async with world(tmp_path_factory.mktemp("kith")) as running:
        yield running
