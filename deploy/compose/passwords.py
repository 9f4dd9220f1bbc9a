"""The passwords of docker-compose.yml: generated, kept in `.env`, no defaults. Standard library only."""

import os
from pathlib import Path
from secrets import token_hex

EXAMPLE = Path(__file__).with_name("example.env")
BYTES = 24


def names() -> list[str]:
    """The names of the secrets: the variables without a value in the example file."""
    lines = EXAMPLE.read_text().splitlines()
    return [name for name, equals, value in map(_parts, lines) if equals and not value]


def _parts(line: str) -> tuple[str, str, str]:
    """Split a line at `=`; the middle part is empty if the line is not an assignment."""
    return ("", "", "") if line.lstrip().startswith("#") else line.partition("=")


def made() -> dict[str, str]:
    """A new value for each secret, safe in URLs, key files and environment files."""
    return {name: token_hex(BYTES) for name in names()}


def ensure(path: Path) -> list[str]:
    """Add missing passwords to `path`, readable only by its owner; return the names of those added.

    Existing ones are kept: the servers' volumes know only the first passwords.
    """
    text = path.read_text() if path.exists() else EXAMPLE.read_text()
    given = {name: value for name, equals, value in map(_parts, text.splitlines()) if equals}
    new = {name: value for name, value in made().items() if not given.get(name)}
    lines = [line for line in text.splitlines() if _parts(line)[0] not in new]
    _write(path, "\n".join([*lines, *(f"{name}={value}" for name, value in new.items()), ""]))
    return list(new)


def _write(path: Path, text: str) -> None:
    """Write atomically; the file is never readable by others, not even for a moment."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
