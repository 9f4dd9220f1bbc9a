"""MongoDB as in the compose file: it asks for a password, and a service's user sees one database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from testcontainers.core.container import DockerContainer

from deploy.compose.servers import administrator, ensure_users, initiate
from deploy.embedded.servers import NotReady, attempts, free_ports
from shared.mongo import MongoDatabase, OperationFailure, PyMongoError
from tests.integration.containers.test_kafka_in_production import run_intake
from tests.support.containers import MONGO, READY_SECONDS, running, said

PASSWORD, PREFIX = "5e0d6c2b9f", "kith_"
INSIDE = "127.0.0.1:27017"
START = """
(umask 077; printf %s "$KEYFILE" > /tmp/keyfile)
chown mongodb /tmp/keyfile
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /tmp/keyfile
"""


@asynccontextmanager
async def secured_mongodb() -> AsyncIterator[str]:
    """Its address, with the users `intake` and `alerts`."""
    port = free_ports(1)
    container = DockerContainer(MONGO).with_bind_ports(27017, port).with_command(["bash", "-c", START])
    container.with_env("KEYFILE", PASSWORD * 4)
    container.with_env("MONGO_INITDB_ROOT_USERNAME", "root")
    container.with_env("MONGO_INITDB_ROOT_PASSWORD", PASSWORD)
    async with running(container):
        server = administrator(PASSWORD, f"127.0.0.1:{port}")
        try:
            await _prepare(server, container)
        finally:
            await server.close()
        yield f"127.0.0.1:{port}"


async def _prepare(server: MongoDatabase, container: DockerContainer) -> None:
    async for _ in attempts(READY_SECONDS, pause=0.5):
        try:
            await initiate(server, INSIDE)
            await ensure_users(server, {"intake": PASSWORD, "alerts": PASSWORD}, PREFIX)
        except PyMongoError:
            continue
        return
    raise NotReady(f"{MONGO} did not answer within {READY_SECONDS:g} s\n{said(container)}")


@pytest.fixture(scope="session")
async def mongodb() -> AsyncIterator[str]:
    async with secured_mongodb() as address:
        yield address


def uri(address: str, user: str, password: str = PASSWORD) -> str:
    return f"mongodb://{user}:{password}@{address}/?directConnection=true&authSource={PREFIX}{user}"


async def test_a_services_user_writes_its_own_database_and_sees_no_other(mongodb: str) -> None:
    own = MongoDatabase(uri(mongodb, "intake"), f"{PREFIX}intake")
    await own.ensure_collections(["people"])
    await own["people"].insert_one({"_id": "one"})
    with pytest.raises(OperationFailure, match="not authorized"):
        await own.client[f"{PREFIX}alerts"]["alerts"].find_one()
    await own.close()


async def test_users_are_made_once_and_given_a_new_password_when_it_changes(mongodb: str) -> None:
    server = administrator(PASSWORD, mongodb)
    await ensure_users(server, {"alerts": "c0ffee"}, PREFIX)
    await server.close()
    own = MongoDatabase(uri(mongodb, "alerts", "c0ffee"), f"{PREFIX}alerts")
    await own.ping()
    await own.close()


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("intake", "wrong", "KITH_MONGODB: MongoDB refuses its user or password"),
        ("root", PASSWORD, "KITH_MONGODB: MongoDB refuses its user or password"),
    ],
)
async def test_a_service_that_mongodb_refuses_ends_at_once_and_names_the_setting(
    mongodb: str, user: str, password: str, said: str
) -> None:
    given = {"kafka": "127.0.0.1:1", "kafka_plaintext_allowed": "true"}
    ended = await asyncio.to_thread(run_intake, uri(mongodb, user, password), PREFIX, given)
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr
    assert password not in ended.stderr


async def test_a_user_of_another_database_is_told_which_right_is_missing(mongodb: str) -> None:
    given = {"kafka": "127.0.0.1:1", "kafka_plaintext_allowed": "true"}
    ended = await asyncio.to_thread(run_intake, uri(mongodb, "intake"), "other_", given)
    assert ended.returncode == 2
    assert "KITH_MONGODB: its user may not use this service's database" in ended.stderr
