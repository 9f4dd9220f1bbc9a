"""MongoDB of the compose file: a replica set of one, and users that see one database each."""

from collections.abc import Mapping

from shared.mongo import MongoDatabase, OperationFailure

HOST = "mongo:27017"
SERVICES = ("intake", "care_plan", "scheduler", "alerts", "dashboard")
ALREADY_INITIALIZED, USER_EXISTS = 23, 51003


def administrator(password: str, host: str = HOST) -> MongoDatabase:
    uri = f"mongodb://root:{password}@{host}/?directConnection=true&authSource=admin"
    return MongoDatabase(uri, "admin", timeout_ms=2000)


async def initiate(server: MongoDatabase, host: str = HOST) -> None:
    """Make the server a replica set of one, unless it is one already."""
    try:
        config = {"_id": "rs0", "members": [{"_id": 0, "host": host}]}
        await server.db.command({"replSetInitiate": config})
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise


async def ensure_users(server: MongoDatabase, passwords: Mapping[str, str], prefix: str) -> None:
    """Create or update each service's user in its own database. Raises until the server is primary."""
    for service, password in passwords.items():
        database = server.client[f"{prefix}{service}"]
        roles = [{"role": "readWrite", "db": database.name}]
        try:
            await database.command({"createUser": service, "pwd": password, "roles": roles})
        except OperationFailure as error:
            if error.code != USER_EXISTS:
                raise
            await database.command({"updateUser": service, "pwd": password, "roles": roles})
