"""A collection with an old and a present shape: one field became two. `python -m` migrates it."""

import asyncio
import sys
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from shared.migrations import Migration, Migrations
from shared.mongo import Document, MongoDatabase

COLLECTION = "letters"


def lift(fields: Any) -> Any:
    """`code` of the old shape becomes `prefix` and `number`; `lifted` counts how often that was done."""
    if not isinstance(fields, dict) or "code" not in fields:
        return fields
    prefix, number = fields["code"].split("-")
    rest = {name: value for name, value in fields.items() if name != "code"}
    return {**rest, "prefix": prefix, "number": int(number), "lifted": fields.get("lifted", 0) + 1}


def slowly(fields: Document) -> Document:
    time.sleep(0.002)
    lifted: Document = lift(fields)
    return lifted


class Letter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    patient_id: str = "pat_1"
    clinic_id: str = "riverside"
    prefix: str
    number: int
    lifted: int
    stamps: int = 0

    _lift = model_validator(mode="before")(lift)


SPLIT = Migration("split-code", COLLECTION, {"code": {"$exists": True}}, lift)
SLOW = Migration("split-code", COLLECTION, {"code": {"$exists": True}}, slowly)


def old(number: int) -> Document:
    about = {"patient_id": "pat_1", "clinic_id": "riverside", "code": f"A-{number}", "stamps": 0}
    return {"_id": f"letter-{number:04}", "version": 1, "announced": {}, "trail": [], **about}


async def main(uri: str, name: str) -> None:
    database = MongoDatabase(uri, name)
    await Migrations(database, [SLOW], service="letters", instance="killed").run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
