"""Runs Schemathesis against a service: no 5xx, and every answer as its OpenAPI document says."""

import asyncio
import os
import sys
from pathlib import Path

HOOKS = "tests.support.http_schemathesis_hooks"
REPOSITORY = Path(__file__).parents[2]

NOT_ASKED = "positive_data_acceptance"
"""Not checked: JSON Schema allows 3.0 as an integer, any year and any If-Match, which Kith refuses."""


async def schemathesis(
    address: str, token: str, folder: Path, *options: str, examples: int = 25
) -> tuple[int, str]:
    """Run every check but one against `address`; return the exit status (0: nothing found) and the report."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")),
        "--no-color",
        "run",
        f"{address}/openapi.json",
        f"--header=Authorization: Bearer {token}",
        f"--exclude-checks={NOT_ASKED}",
        f"--max-examples={examples}",
        "--generation-deterministic",
        "--warnings=off",
        *options,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(REPOSITORY)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, report.decode()
