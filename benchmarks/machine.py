"""Figures from the kernel: CPU seconds and memory of a process, the machine's load."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads; 0 once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process. Raises `LookupError`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"no VmRSS of process {pid}")


def machine() -> dict[str, Any]:
    """Facts that a reader needs to judge absolute figures."""
    packages = ("aiokafka", "pymongo", "motor", "faststream", "pydantic")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load at the end": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in packages),
    }
