"""Plans in any phase, made by the rules themselves."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest

from services.care_plan.domain import inventory, maintenance, plan, sessions
from services.care_plan.domain.measures import Gad7, Phq9
from services.care_plan.domain.plan import InventoryEntry, Moment, Plan, RelapsePrevention
from services.care_plan.domain.protocol import Protocol, contract
from services.care_plan.domain.sessions import Attended
from services.care_plan.protocols import protocol_today
from shared.errors import Refused
from shared.messaging.event import Event

E = TypeVar("E", bound=Event)

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
TODAY = NOW.date()
LATER = date(2026, 12, 1)

RANKED = (InventoryEntry(text="mother", rank=1), InventoryEntry(text="new job", rank=2))
PREVENTION = RelapsePrevention(text="call early", contingency_signs=("sleepless",))


def protocol() -> Protocol:
    return protocol_today()


def moment(*, in_crisis: bool = False, at: datetime = NOW) -> Moment:
    return Moment(now=at, protocol=protocol(), in_crisis=in_crisis)


def new_plan(variant: str = "ipt-12", sessions: int | None = None, **fields: Any) -> Plan:
    made, _ = plan.start(
        patient_id="pat_1",
        clinic_id="riverside",
        clinician_id="cln_1",
        referral_id=fields.pop("referral_id", "ref_1"),
        episode=fields.pop("episode", 1),
        contract=contract(protocol(), variant, sessions or protocol().variant(variant).sessions),
        started_at=START,
        baseline_phq9=fields.pop("baseline", 14),
        baseline_gad7=fields.pop("baseline_gad7", 11),
        history_indications=fields.pop("history", ()),
    )
    return made.changed(**fields)


def phq9(total: int, *, item9: int = 0) -> Phq9:
    """Nine answers that sum up to `total`, item 9 as given."""
    items, rest = [], total - item9
    for _ in range(8):
        items.append(min(3, rest))
        rest -= items[-1]
    assert rest == 0
    return Phq9(items=(*items, item9))


def gad7(total: int) -> Gad7:
    return Gad7(items=tuple(min(3, max(0, total - 3 * place)) for place in range(7)))


def attend(
    state: Plan,
    count: int = 1,
    *,
    total: int | None = None,
    in_crisis: bool = False,
    at: datetime | None = None,
) -> tuple[Plan, list[Event]]:
    """Attend so many sessions, with a PHQ-9 of `total` at each."""
    events: list[Event] = []
    for _ in range(count):
        session = Attended(
            appointment_id=f"apt_{len(state.sessions) + 1}",
            at=at,
            phq9=None if total is None else phq9(total),
        )
        state, more = sessions.record_session(state, session, moment(in_crisis=in_crisis))
        events += more
    return state, events


def prepared(variant: str = "ipt-12", **fields: Any) -> Plan:
    """A new plan whose inventory is complete and whose focus is chosen."""
    state, _ = inventory.record_inventory(new_plan(variant, **fields), RANKED, moment())
    state, _ = inventory.complete_inventory(state, moment())
    state, _ = inventory.select_focus(state, ("grief",), moment())
    return state


def in_middle() -> Plan:
    return attend(prepared(), 3)[0]


def in_termination() -> Plan:
    return attend(prepared(), 9)[0]


def ended(total: int = 4, **fields: Any) -> Plan:
    state, _ = maintenance.record_relapse_prevention(prepared(**fields), PREVENTION, moment())
    state, _ = attend(state, 11)
    return attend(state, total=total)[0]


def in_maintenance(total: int = 4) -> Plan:
    return maintenance.contract_maintenance(ended(total), None, None, LATER, moment())[0]


def of(kind: type[E], events: list[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def refused(decide: Callable[..., object], *given: Any) -> str:
    """The reason with which a rule says no to what is given."""
    with pytest.raises(Refused) as caught:
        decide(*given)
    return caught.value.reason


def weeks(count: int) -> timedelta:
    return timedelta(weeks=count)
