"""Faults on the page alone: its process, its networks, its transactions, the rebuild of its read model."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2

from deploy.embedded.keys import development_token
from deploy.embedded.plan import PAGE
from deploy.embedded.probing import attempts
from tests.chaos.faults import network, points, processes
from tests.chaos.faults.base import Fault, PointNotReached, Scene
from tests.chaos.wire import is_offset_commit, is_rename, is_transaction_commit

REBUILD_SECONDS = 30.0
"""Most seconds for a rebuild of the read model while people work."""

LEASE_SECONDS = 35.0
"""Longer than the lease of a rebuild (30 s)."""

HALF_WAY = 3
"""The page dies at this rename, when only some of the collections have been replaced."""


async def _ask(scene: Scene, method: str) -> tuple[int, dict[str, Any]]:
    """The answer's status and the rebuild's progress. Raises `PointNotReached` if the page is away."""
    token = development_token(scene.stack.plan.signing_key, "engineer")
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(timeout=5, trust_env=False) as client:
        try:
            url = f"{scene.stack.replicas[PAGE].address}/rebuild"
            answer = await client.request(method, url, headers=headers)
            answer.raise_for_status()
        except (httpx2.TransportError, httpx2.HTTPStatusError):
            raise PointNotReached from None
    return answer.status_code, answer.json()


async def _begin(scene: Scene) -> None:
    """Start a rebuild, waiting while an earlier one whose replica died still holds its lease.

    The page refuses a rebuild after the broker lost its log, which held records that the suite had written:
    they are in no outbox, and a read model built from the new log would lack them.

    Raises `PointNotReached`.
    """
    async for _ in attempts(LEASE_SECONDS, pause=0.5):
        if (await _ask(scene, "POST"))[0] == httpx2.codes.ACCEPTED:
            return
    raise PointNotReached


async def _rebuild(scene: Scene) -> None:
    """Rebuild until done. Raises `PointNotReached` if it fails, which leaves the old read model in place."""
    await _begin(scene)
    async for _ in attempts(REBUILD_SECONDS, pause=0.1):
        _, progress = await _ask(scene, "GET")
        if progress["stage"] == "done":
            return
        if progress["stage"] == "failed":
            break
    raise PointNotReached


async def _die_at(scene: Scene, *, sign: Callable[[], points.Fits]) -> None:
    """Start a rebuild, and kill the page at the given request of it. Raises `PointNotReached`."""
    await _begin(scene)
    await points.wait_in(
        scene, replicas=(PAGE,), link="mongod", sign=sign, swallow=True, within=REBUILD_SECONDS
    )


class _Renames:
    """Recognises the rename number `HALF_WAY`."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, frame: bytes) -> bool:
        self._seen += is_rename(frame)
        return is_rename(frame) and self._seen == HALF_WAY


ALL = [
    processes.killed(PAGE),
    processes.frozen(PAGE, processes.STOPPED_SECONDS),
    processes.restarted(PAGE),
    points.point("die before commit", PAGE, "mongod", is_transaction_commit),
    points.point("die after commit", PAGE, "mongod", is_transaction_commit, swallow=False),
    points.point("die before offset commit", PAGE, "broker", is_offset_commit),
    network.between(PAGE, "mongod", "half_open"),
    network.between(PAGE, "mongod", "frozen"),
    network.between(PAGE, "broker", "blackhole"),
    network.between(PAGE, "broker", "cut", hold=2.0),
    Fault("read model rebuilt", _rebuild),
    Fault("die while rebuilding: dashboard", partial(_die_at, sign=lambda: is_transaction_commit)),
    Fault("die while replacing: dashboard", partial(_die_at, sign=_Renames)),
]
