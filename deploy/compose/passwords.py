"""The passwords of docker-compose.yml: made here, kept in `.env`, never a default. Standard library only."""

import os
from pathlib import Path
from secrets import token_hex

EXAMPLE = Path(__file__).with_name("example.env")
BYTES = 24


def names() -> list[str]:
    """The secrets of the example file: what has no value there."""
    lines = EXAMPLE.read_text().splitlines()
    return [name for name, equals, value in map(_parts, lines) if equals and not value]


def _parts(line: str) -> tuple[str, str, str]:
    """A line that is no assignment has an empty middle part."""
    return ("", "", "") if line.lstrip().startswith("#") else line.partition("=")


def made() -> dict[str, str]:
    """A new value for each: safe in addresses, key files and files of variables."""
    return {name: token_hex(BYTES) for name in names()}


def ensure(path: Path) -> list[str]:
    """Put what is missing into `path`, readable by its owner alone; the names of what was put there.

    What stands there is kept: the servers' volumes know the first passwords only.
    """
    text = path.read_text() if path.exists() else EXAMPLE.read_text()
    given = {name: value for name, equals, value in map(_parts, text.splitlines()) if equals}
    new = {name: value for name, value in made().items() if not given.get(name)}
    lines = [line for line in text.splitlines() if _parts(line)[0] not in new]
    _write(path, "\n".join([*lines, *(f"{name}={value}" for name, value in new.items()), ""]))
    return list(new)


def _write(path: Path, text: str) -> None:
    """All or nothing, and never readable by others, not even for a moment."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
