"""The stack's mongod on loopback, as a replica set of one (transactions need a replica set)."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.embedded.binaries import mongod_binary
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.probing import NotReady, attempts, listens
from deploy.embedded.processes import Process, last_lines, spawn, stop

REPLICA_SET = "kith"
ALREADY_INITIALIZED = 23
CACHE_GB = "1"


@dataclass
class Mongod:
    """`folder` keeps the data between runs; `log` takes the server's output.

    `options` are additional arguments.
    """

    folder: Path
    port: int
    log: Path
    options: tuple[str, ...] = ()
    process: Process | None = field(default=None, repr=False)

    name = "mongod"

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def uri(self) -> str:
        return f"mongodb://{self.address}/?replicaSet={REPLICA_SET}"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Raises `MissingBinary`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            *(str(mongod_binary()), "--dbpath", str(self.folder.resolve())),
            *("--bind_ip", LOOPBACK, "--port", str(self.port), "--nounixsocket"),
            *("--replSet", REPLICA_SET, "--oplogSize", "256"),
            # A client killed in a transaction holds its documents for this long (default: a minute and more).
            *("--setParameter", "transactionLifetimeLimitSeconds=3"),
            # Without zlib, the third default: its memory leak in 6.0.5 needs no login (CVE-2025-14847)
            *("--networkMessageCompressors", "snappy,zstd"),
            # Slow operations would be logged with their parameters: names (intake's search, its writes).
            *("--slowms", "60000", "--slowOpSampleRate", "0"),
            *("--wiredTigerCacheSizeGB", CACHE_GB, "--quiet"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *self.options,
        ]
        self.process = spawn(
            command, folder=self.folder, log=self.log.resolve(), environment=dict(os.environ)
        )

    async def ready(self, within: float = 60.0) -> None:
        """Wait until it accepts writes, initiating its replica set if needed. Raises `NotReady`."""
        async for left in attempts(within):
            self._require_running()
            if await listens(self.port):
                return await self._become_primary(left)
        raise NotReady(f"mongod did not listen on {self.address} within {within:g} s; see {self.log}")

    def _require_running(self) -> None:
        if not self.is_running:
            code = self.process.returncode if self.process else "never started"
            raise NotReady(f"mongod ended ({code}); see {self.log}\n{last_lines(self.log)}")

    async def _become_primary(self, within: float) -> None:
        from shared.mongo import MongoDatabase, PyMongoError  # noqa: PLC0415  (while mongod starts, not before)

        direct = MongoDatabase(f"mongodb://{self.address}/?directConnection=true", "admin")
        try:
            async for _ in attempts(within):
                self._require_running()
                try:
                    hello = await direct.db.command("hello")
                    if hello.get("isWritablePrimary"):
                        return
                    if "setName" not in hello:
                        await _configure(direct.db, self.address)
                except PyMongoError:
                    continue  # still starting: try again
        finally:
            await direct.close()
        raise NotReady(f"mongod on {self.address} did not become primary within {within:.0f} s")

    def stop(self, within: float = 10.0) -> bool:
        """Shut it down; return whether it ended in time (it is killed otherwise, and loses nothing)."""
        if self.process is None:
            return True
        return stop(self.process, within=within)

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        if self.process is not None:
            stop(self.process, within=10.0, how=signal.SIGKILL)


async def _configure(admin: Any, address: str) -> None:
    """Initiate the set, or reconfigure one that was started on another port with its new address."""
    from shared.mongo import OperationFailure  # noqa: PLC0415

    members = [{"_id": 0, "host": address}]
    try:
        await admin.command({"replSetInitiate": {"_id": REPLICA_SET, "members": members}})
    except OperationFailure as refused:
        if refused.code != ALREADY_INITIALIZED:
            raise
        config = (await admin.command("replSetGetConfig"))["config"]
        config |= {"members": [config["members"][0] | {"host": address}], "version": config["version"] + 1}
        await admin.command({"replSetReconfig": config, "force": True})
