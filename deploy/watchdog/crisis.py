"""One synthetic crisis through the public API, from the flag to its resolution."""

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx2

from deploy.watchdog.settings import WatchdogSettings

LOOK_SECONDS = 0.1
REQUEST_SECONDS = 10.0
LIVE = frozenset({"open", "acknowledged", "assessed"})


class Failed(Exception):
    """`stage` is the code of the step that failed."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


class SyntheticCrisis:
    """One round's client. Each hour has its own synthetic person, so that no document grows without limit."""

    def __init__(self, settings: WatchdogSettings, http: httpx2.AsyncClient) -> None:
        self._settings, self._http = settings, http
        self._headers = {"Authorization": f"Bearer {settings.token()}"}

    async def play(self) -> float:
        """Seconds from the flag to its page. Raises `Failed`; resolves the crisis in any case."""
        await self._require_roster()
        referral = await self._referral()
        patient = referral["patient_id"]
        await self._end_all(patient)
        try:
            return await self._flagged(referral["id"], patient)
        finally:
            await self._end_all(patient)

    async def _require_roster(self) -> None:
        """Raises `Failed` without a roster: a flag from a clinic unknown to alerts would alarm everyone."""
        policy = (await self._alerts("GET", "/on-call", "roster_unknown")).json()
        people = policy["clinics"].get(self._settings.clinic, [])
        if not any(contact["channels"] for contact in people):
            raise Failed("roster_missing")

    async def _referral(self) -> dict[str, Any]:
        """This hour's referral, declined at once: nobody has to review it, and it is closed in the books."""
        form = {
            "clinic_id": self._settings.clinic,
            "source_system": "watchdog",
            "external_id": f"{datetime.now(UTC):%Y-%m-%dT%H}",
            "person": {},
            "consent": False,
        }
        answer = await self._intake("POST", "/referrals", "not_referred", form)
        referral: dict[str, Any] = answer.json()
        if referral["state"] != "declined":
            decision = {"decision": "decline", "reason": "not_indicated", "alternative_offered": False}
            path, seen = f"/referrals/{referral['id']}/decision", answer.headers["ETag"]
            await self._intake("POST", path, "not_declined", decision, seen)
        return referral

    async def _flagged(self, referral_id: str, patient_id: str) -> float:
        began = monotonic()
        await self._intake("POST", f"/referrals/{referral_id}/crisis-flag", "not_flagged")
        while monotonic() - began < self._settings.within_seconds:
            for alert in await self._crises(patient_id):
                told = await self._alerts("GET", f"/alerts/{alert['id']}/deliveries", "not_shown")
                if any(d["channel"] != "inbox" and d["state"] == "delivered" for d in told.json()["items"]):
                    return monotonic() - began
            await asyncio.sleep(LOOK_SECONDS)
        raise Failed("not_paged_in_time")

    async def _crises(self, patient_id: str) -> list[dict[str, Any]]:
        path = f"/alerts?kind=crisis&patient_id={patient_id}"
        page = (await self._alerts("GET", path, "not_listed")).json()
        return [alert for alert in page["items"] if alert["state"] in LIVE]

    async def _end_all(self, patient_id: str) -> None:
        for alert in await self._crises(patient_id):
            path = f"/alerts/{alert['id']}"
            found = {"result": "false_alarm", "contact_made": True}
            await self._alerts("POST", f"{path}/acknowledge", "not_acknowledged")
            await self._alerts("POST", f"{path}/assess", "not_assessed", found)
            seen_next = (datetime.now(UTC) + timedelta(days=1)).isoformat()
            end = {"disposition": "false_alarm", "safety_plan": False, "next_contact": seen_next}
            await self._alerts("POST", f"{path}/resolve", "not_resolved", end)

    async def _intake(
        self, method: str, path: str, stage: str, body: Any = None, seen: str | None = None
    ) -> httpx2.Response:
        headers = {"If-Match": seen} if seen else {}
        return await self._ask(self._settings.intake_url, method, path, stage, body, headers)

    async def _alerts(self, method: str, path: str, stage: str, body: Any = None) -> httpx2.Response:
        return await self._ask(self._settings.alerts_url, method, path, stage, body, {})

    async def _ask(
        self, url: str, method: str, path: str, stage: str, body: Any, headers: dict[str, str]
    ) -> httpx2.Response:
        headers = self._headers | headers | ({"Idempotency-Key": uuid4().hex} if method == "POST" else {})
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await self._http.request(method, url + path, json=body, headers=headers)
        except (httpx2.TransportError, TimeoutError):
            raise Failed(stage) from None
        if not answer.is_success:
            raise Failed(stage)
        return answer
