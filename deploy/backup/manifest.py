"""The content of a backup folder: a manifest, and a compressed file of documents per collection."""

import gzip
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from shared import raw

MANIFEST = "manifest.json"
FORMAT = 1


class NotABackup(Exception):
    """The folder holds no backup, or one that was altered."""


class Kept(BaseModel):
    """One collection. `bytes` is the size of its documents, `sha256` the hash of the compressed file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    collection: str
    documents: int
    bytes: int
    sha256: str

    @property
    def file(self) -> Path:
        return file_of(self.service, self.collection)


class Manifest(BaseModel):
    """Every write acknowledged before `taken_at`, by the database server's clock, is in the backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    taken_at: datetime
    kith: str
    mongodb: str
    collections: tuple[Kept, ...]

    @property
    def documents(self) -> int:
        return sum(kept.documents for kept in self.collections)

    def save(self, folder: Path) -> None:
        with private_file(folder / MANIFEST) as file:
            file.write(self.model_dump_json(indent=2).encode() + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Raises `NotABackup`."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise NotABackup(
            f"there is no {MANIFEST} in {folder}: no backup, or one that was not finished"
        ) from None
    except ValidationError:
        raise NotABackup(f"{folder / MANIFEST} is no manifest of a backup") from None
    if manifest.format != FORMAT:
        raise NotABackup(f"{folder} has format {manifest.format}, this version reads {FORMAT}")
    return manifest


def file_of(service: str, collection: str) -> Path:
    return Path(service) / f"{collection}.bson.gz"


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Create a file that only its owner can read; it is synced to disk when the block ends."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


async def write(folder: Path, service: str, collection: str, batches: AsyncIterator[bytes]) -> Kept:
    path = folder / file_of(service, collection)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    documents = size = 0
    with (
        private_file(path) as file,
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
    ):
        async for batch in batches:
            documents, size = documents + raw.count(batch), size + len(batch)
            packed.write(batch)
    return Kept(
        service=service, collection=collection, documents=documents, bytes=size, sha256=checksum(path)
    )


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(folder: Path, manifest: Manifest) -> None:
    """Check that every file is present and unchanged. Raises `NotABackup` with the first that is not."""
    for kept in manifest.collections:
        path = folder / kept.file
        if not path.is_file():
            raise NotABackup(f"{kept.file} is missing")
        if checksum(path) != kept.sha256:
            raise NotABackup(f"{kept.file} is not what was written: its checksum differs")


def read(folder: Path, kept: Kept, at_once: int) -> Iterator[list[raw.Unread]]:
    """The documents of a collection, in batches of `at_once`."""
    with gzip.open(folder / kept.file, "rb") as file:
        some: list[raw.Unread] = []
        for document in raw.documents(file):  # type: ignore[arg-type]
            some.append(document)
            if len(some) == at_once:
                yield some
                some = []
        if some:
            yield some
