"""Alerts' documents: alerts, each person's crises, deliveries, and the notices of the inbox."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from services.alerts import inbound
from services.alerts.domain import concerns, crisis
from services.alerts.domain.alert import UNKNOWN, Alert, Outcome
from services.alerts.domain.crisis import CrisisHistory
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.policy import Rules
from services.alerts.domain.roster import OnCall
from services.alerts.events import AlertAcknowledged, AlertKind, Severity
from services.alerts.metrics import observe_answer
from shared.messaging.work import Work
from shared.mongo import Document, Index, MongoDatabase, Txn

log = structlog.get_logger()

ALERTS, HISTORIES, DELIVERIES, NOTICES = "alerts", "crisis_histories", "deliveries", "notices"
COLLECTIONS = [ALERTS, HISTORIES, DELIVERIES, NOTICES]
WAITING: Document = {"waiting": True}
LIVE: Document = {"live": True}
UNREADABLE = "unreadable-"
"""Prefix of a person's id when their stored crises cannot be read."""

INDEXES = [
    Index(ALERTS, "lane", "next_due", partial=WAITING),
    Index(ALERTS, "kind", "about", unique=True, partial=LIVE),
    Index(ALERTS, "patient_id", "position"),
    Index(ALERTS, "clinic_id", "position"),
    Index(ALERTS, "position"),
    Index(DELIVERIES, "queue", "next_attempt", partial=WAITING),
    Index(DELIVERIES, "alert_ids"),
    Index(NOTICES, "contact_id", "position"),
]


class Notice(BaseModel):
    """One message in a contact's inbox: opaque ids and a severity, nothing about a person."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The delivery's id."""
    patient_id: str
    clinic_id: str
    contact_id: str
    alert_ids: tuple[str, ...]
    severity: Severity
    at: datetime
    position: str
    """Sort key: the latest first."""


class FirstTries(Protocol):
    """Lets the process that decided on a page try it at once, without a query for due deliveries."""

    def reserve(self, page: Delivery, reserved: int) -> Delivery:
        """Return the page, claimed for this process if a slot is free besides `reserved` others."""
        ...

    def begin(self, page: Delivery, work: "AlertsWork") -> None:
        """Try a page of `work`, which has been committed."""
        ...


class AlertsWork(Work):
    """`on_call`: the policy in force. Loaded live alerts are found by kind and `about`."""

    def __init__(
        self,
        database: MongoDatabase,
        *,
        now: datetime,
        on_call: OnCall,
        first_tries: FirstTries | None = None,
    ) -> None:
        super().__init__(database, service="alerts", now=now)
        self.on_call, self._opened = on_call, monotonic()
        self._first_tries, self._reserved = first_tries, list[Delivery]()
        self.alerts = self.documents(ALERTS, Alert, due="next_due")
        self.histories = self.documents(HISTORIES, CrisisHistory)
        self.deliveries = self.documents(DELIVERIES, Delivery, due="next_attempt")
        self.notices = self.documents(NOTICES, Notice)
        self._once_committed: list[Callable[[], None]] = []
        self._live: dict[tuple[AlertKind, str], str] = {}
        self._of_patient: dict[str, dict[str, None]] = {}
        self._unreadable: set[str] = set()

    @property
    def age(self) -> float:
        """Seconds since this work began. Nothing it has read is older."""
        return monotonic() - self._opened

    @property
    def told_at(self) -> datetime:
        """When the message being processed was announced, however late it is read. Now if there is none."""
        return self.now if self.message is None else self.message.time

    @property
    def rules(self) -> Rules:
        return self.on_call.policy.rules

    async def prefetch(self, facts: "list[Any]") -> None:
        """Load what the batch needs: people's live alerts and crises, and live dead letter alerts."""
        letters = [fact for fact in facts if isinstance(fact, inbound.DeadLetter)]
        flags = [fact for fact in facts if isinstance(fact, inbound.CrisisFlag)]
        await self.load_crises(fact.patient_id for fact in flags)
        await self.load_people(
            fact.patient_id for fact in facts if not isinstance(fact, inbound.DeadLetter | inbound.CrisisFlag)
        )
        await self.load_crises_set_aside(letter.patient_id for letter in letters if letter.crisis)
        await self.load_dead_letters(
            {concerns.dead_letters(letter.service, letter.reason) for letter in letters}
        )

    async def load_crises(self, patient_ids: Iterable[str]) -> None:
        """Load these people's crises only: an unreadable alert of another kind must not hold up a flag.

        Histories come first, so that a crisis opened or ended afterwards makes the commit a `Conflict`.
        """
        ids = sorted(set(patient_ids))
        if not ids:
            return
        await self.histories.load(ids)
        abouts = [crisis.about(id) for id in ids]
        for alert in await self.alerts.find({"kind": "crisis", "about": {"$in": abouts}, **LIVE}):
            self._remember(alert)

    async def load_crises_set_aside(self, patient_ids: Iterable[str]) -> None:
        """Like `load_crises`, but use the substitute id (`known_as`) if a person's crises are unreadable."""
        for patient_id in sorted(set(patient_ids)):
            try:
                await self.load_crises([patient_id])
            except ValidationError:
                self._unreadable.add(patient_id)
                await self.load_crises([self.known_as(patient_id)])

    def known_as(self, patient_id: str) -> str:
        """The person's id, or the substitute id for a crisis if their own record is unreadable."""
        return f"{UNREADABLE}{patient_id}" if patient_id in self._unreadable else patient_id

    async def load_people(self, patient_ids: Iterable[str]) -> None:
        """Load these people's crisis histories, and their live alerts of other kinds than crisis."""
        ids = sorted(set(patient_ids))
        if not ids:
            return
        await self.histories.load(ids)
        others: Document = {"patient_id": {"$in": ids}, **LIVE, "kind": {"$nin": ["crisis", "dead_letter"]}}
        for alert in await self.alerts.find(others):
            self._remember(alert)

    async def load_dead_letters(self, abouts: Iterable[str]) -> None:
        wanted = sorted(set(abouts))
        if wanted:
            for alert in await self.alerts.find({"kind": "dead_letter", "about": {"$in": wanted}, **LIVE}):
                self._remember(alert)

    async def clinic_of(self, patient_id: str) -> str:
        """The clinic of the person's latest alert that names one, else `unknown`."""
        if patient_id == UNKNOWN:
            return UNKNOWN
        row = await self.database[ALERTS].find_one(
            {"patient_id": patient_id, "clinic_id": {"$ne": UNKNOWN}},
            {"clinic_id": 1},
            sort=[("raised_at", -1)],
        )
        return UNKNOWN if row is None else str(row["clinic_id"])

    def live(self, kind: AlertKind, about: str) -> Alert | None:
        """The loaded live alert of this kind and `about`, if any."""
        id = self._live.get((kind, about))
        alert = None if id is None else self.alerts[id]
        return alert if alert is not None and alert.live else None

    def live_of(self, patient_id: str) -> list[Alert]:
        held = [self.alerts[id] for id in self._of_patient.get(patient_id, ())]
        return [alert for alert in held if alert.live]

    def open_crisis(self, patient_id: str) -> Alert | None:
        """The person's live crisis. If the history disagrees, one of the two was changed by hand.

        The difference is logged once committed, and the history is ignored so that no flag is held up.
        """
        alert, history = self.live("crisis", crisis.about(patient_id)), self.histories.get(patient_id)
        found, said = alert and alert.id, history and history.open
        if found != said:
            self.once_committed(partial(log.error, "crisis and history differed", found=found, said=said))
        if alert is None:
            self._end_what_only_says_it_is_live(crisis.about(patient_id))
        return alert

    def _end_what_only_says_it_is_live(self, about: str) -> None:
        """End a crisis resolved by hand but still stored as live: the unique index allows only one."""
        ended = self.alerts.get(self._live.get(("crisis", about), ""))
        if ended is not None:
            query = {"_id": ended.id, "state": ended.state}
            so = {"$set": {"live": False, "waiting": False, "next_due": None}}
            self.also(partial(self._correct, query, so))

    async def _correct(self, query: Document, change: Document, txn: Txn) -> None:
        await self.database[ALERTS].update_one(query, change, session=txn)

    def keep(self, outcome: Outcome) -> None:
        """Save the outcome of a rule."""
        self.alerts.save(outcome.alert, outcome.events)
        self._remember(outcome.alert)
        for delivery in outcome.deliveries:
            self.deliveries.save(self._reserve(delivery))
        for event in outcome.events:
            if isinstance(event, AlertAcknowledged):
                self.once_committed(partial(observe_answer, outcome.alert, event))

    def once_committed(self, measure: Callable[[], None]) -> None:
        """Call `measure` after this work is committed, and only then."""
        self._once_committed.append(measure)

    def _reserve(self, delivery: Delivery) -> Delivery:
        if self.cause.traceparent is not None:
            delivery = delivery.model_copy(update={"traceparent": self.cause.traceparent})
        if self._first_tries is None or delivery.queue != "page" or delivery.next_attempt != self.now:
            return delivery
        page = self._first_tries.reserve(delivery, len(self._reserved))
        if page.claim is not None:
            self._reserved.append(page)
        return page

    async def commit(self) -> None:
        await super().commit()
        for measure in self._once_committed:
            measure()
        if self._first_tries is not None:
            for page in self._reserved:
                self._first_tries.begin(page, self)

    def end_crisis(self, alert: Alert) -> None:
        """Let the next flag open a new crisis. The history was loaded before, unless somebody deleted it."""
        history = self.histories.get(alert.patient_id)
        if history is not None:
            self.histories.save(crisis.ended(history, alert, self.now))

    def _remember(self, alert: Alert) -> None:
        self._live[alert.kind, alert.about] = alert.id
        self._of_patient.setdefault(alert.patient_id, {})[alert.id] = None


async def load_with_deliveries(work: AlertsWork, alert_id: str) -> None:
    """Load one alert and those of its deliveries that can be read, the oldest first.

    An unreadable delivery must not prevent anybody from taking the alert.
    """
    await work.alerts.load([alert_id])
    await work.deliveries.find_readable({"alert_ids": alert_id}, sort=[("created_at", 1), ("_id", 1)])


async def load_page(work: AlertsWork, query: Document, limit: int) -> list[str]:
    """Load the readable alerts of a page. Returns the positions of all its alerts, and of the next one."""
    order = [("position", 1)]
    cursor = work.database[ALERTS].find(query, {"position": 1}, limit=limit + 1, sort=order)
    rows = await cursor.to_list(None)
    ids = [row["_id"] for row in rows[:limit]]
    readable = await work.alerts.find_readable({"_id": {"$in": ids}}, sort=order)
    if len(readable) < len(ids):
        log.error("alerts not shown, for nobody can read them", alerts=len(ids) - len(readable))
    return [row["position"] for row in rows]


async def next_attempt(database: MongoDatabase, *queues: str) -> datetime | None:
    """When the next delivery of these queues is due; `None` if none is pending."""
    query: Document = {**WAITING, "queue": {"$in": list(queues)}}
    row = await database[DELIVERIES].find_one(query, {"next_attempt": 1}, sort=[("next_attempt", 1)])
    return None if row is None else row["next_attempt"]
