"""A local Prometheus on the shipped configuration and rules, scraping other addresses."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped, unused-ignore]

from deploy.embedded.ports import LOOPBACK
from deploy.embedded.probing import NotReady, attempts, listens
from deploy.embedded.processes import Process, last_lines, spawn, stop

FOLDER = Path(__file__).parent
SHIPPED = FOLDER / "prometheus.yml"
WITHIN_SECONDS = 30.0


class NotInstalled(Exception):
    """The program is not installed; the message says how to install it."""


def program() -> str:
    """The path of Prometheus. Raises `NotInstalled`."""
    found = shutil.which("prometheus")
    if found is None:
        raise NotInstalled(
            "prometheus is not here (Debian: apt-get install --no-install-recommends prometheus)"
        )
    return found


def configuration(addresses: Mapping[str, str], every: float) -> dict[str, Any]:
    """The shipped configuration with its rules, for other addresses and another interval, without alerting.

    `addresses` maps each host:port of the shipped file to a URL. Raises `LookupError` for an unmapped target.
    """
    shipped: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    shipped["global"] = {"scrape_interval": f"{every:g}s", "evaluation_interval": f"{every:g}s"}
    shipped["rule_files"] = [str(FOLDER / pattern) for pattern in shipped["rule_files"]]
    del shipped["alerting"]
    for job in shipped["scrape_configs"]:
        job["scrape_timeout"] = f"{every:g}s"
        for group in job["static_configs"]:
            group["targets"] = [urlsplit(addresses[target]).netloc for target in group["targets"]]
    return shipped


@dataclass
class Prometheus:
    """`folder` holds its data, configuration and log."""

    folder: Path
    port: int
    process: Process | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "prometheus.log"

    async def start(self, addresses: Mapping[str, str], every: float) -> None:
        """Raises `NotInstalled`, `NotReady`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        chosen = self.folder / "prometheus.yml"
        chosen.write_text(json.dumps(configuration(addresses, every)))  # JSON is YAML
        command = [
            *(program(), f"--config.file={chosen.resolve()}"),
            f"--storage.tsdb.path={(self.folder / 'data').resolve()}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]
        self.process = spawn(command, folder=self.folder, log=self.log, environment=os.environ)
        async for _ in attempts(WITHIN_SECONDS):
            if self.process.poll() is not None:
                break
            if await listens(self.port):
                return
        raise NotReady(f"Prometheus did not start; see {self.log}\n{last_lines(self.log)}")

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, within=10)
