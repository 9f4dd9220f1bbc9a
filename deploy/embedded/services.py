"""One of Kith's services as a process of the stack."""

import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.plan import ROOT, Plan
from deploy.embedded.probing import NotReady, attempts
from deploy.embedded.processes import Process, last_lines, spawn, stop

PROBE_SECONDS, PROBE_PAUSE = 2.0, 0.1
NICENESS = {"care_plan": 10, "scheduler": 10}
"""Lower priority for services that process import backlogs: no page for a crisis waits for them."""


@dataclass
class ServiceProcess:
    name: str
    plan: Plan
    mongodb: str
    kafka: str
    process: Process | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return self.plan.url(self.name)

    @property
    def log(self) -> Path:
        return self.plan.logs / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        environment = self.plan.environment(self.name, mongodb=self.mongodb, kafka=self.kafka)
        command = [sys.executable, "-m", f"services.{self.name}"]
        niceness = NICENESS.get(self.name, 0)
        self.process = spawn(command, folder=ROOT, log=self.log, environment=environment, niceness=niceness)

    async def ready(self, within: float = 90.0) -> None:
        """Wait until `/health/ready` answers 200. Raises `NotReady`, with the last log lines if it ended."""
        import httpx2  # noqa: PLC0415  (while the services start, not before)

        told = "no answer"
        async with httpx2.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
            async for _ in attempts(within, pause=PROBE_PAUSE):
                if not self.is_running:
                    code = self.process.returncode if self.process else "never started"
                    raise NotReady(f"{self.name} ended ({code}); see {self.log}\n{last_lines(self.log)}")
                try:
                    answer = await client.get(f"{self.address}/health/ready")
                except httpx2.TransportError:
                    continue
                if answer.status_code == httpx2.codes.OK:
                    return
                told = answer.text[:300]
        raise NotReady(f"{self.name} was not ready within {within:g} s ({told}); see {self.log}")

    def stop(self, within: float = 5.0) -> bool:
        return self.process is None or stop(self.process, within=within)

    def kill(self) -> None:
        if self.process is not None:
            stop(self.process, within=5.0, how=signal.SIGKILL)
