"""While the page's own database is away nothing that was entered is lost, and a crisis is sent on."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from pymongo.errors import ServerSelectionTimeoutError

from services.dashboard.domain.person import Appointment, Course, Person, Referral
from services.dashboard.store import PEOPLE, Row
from services.dashboard.web.services import Answer, Services
from shared.mongo import MongoDatabase
from tests.integration.dashboard.conftest import Dashboard

NOW = datetime.now(UTC)
PLANNED = Appointment(
    id="apt_1", number=4, starts_at=NOW - timedelta(hours=1), local_time="2026-03-02T10:00:00"
)
COURSE = Course(id="plan_1", sessions=16, started_at=NOW - timedelta(days=30), appointments=(PLANNED,))

Sent = list[tuple[str, str, Any]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What went to the services; each of them says yes, but for an entry without its time."""
    known: Sent = []

    async def ask(_: Services, __: Any, method: str, service: str, path: str, **request: Any) -> Answer:
        if method == "GET":
            return Answer(0, {}) if service == "care_plan" else Answer(200, {}, 3)
        known.append((service, path, request.get("json")))
        if (request.get("json") or {}).get("at") == "":
            return Answer(422, {"status": 422, "errors": [{"field": "body.at", "problem": "datetime_form"}]})
        return Answer(200, {}, 3)

    monkeypatch.setattr(Services, "_ask", ask)
    return known


@pytest.fixture
def go_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def away(*_: Any, **__: Any) -> Any:
        raise ServerSelectionTimeoutError("away")

    def gone() -> None:
        monkeypatch.setattr(MongoDatabase, "__getitem__", away)
        monkeypatch.setattr(MongoDatabase, "aggregate", away)

    return gone


async def keep(dashboard: Dashboard, person: Person) -> None:
    row = Row.of(person).model_dump()
    await dashboard.database[PEOPLE].insert_one({"_id": row.pop("id"), **row})


def form_in(page: httpx2.Response) -> dict[str, str]:
    """The hidden fields of the page's own form."""
    (form,) = re.findall(r'<form class="form.*?</form>', page.text, re.DOTALL)[:1]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


async def test_a_page_that_needs_nothing_of_it_says_that_the_crises_are_not_known(
    dashboard: Dashboard, go_away: Callable[[], None]
) -> None:
    go_away()
    async with dashboard.as_("coordinator", "riverside") as client:
        page = await client.get("/intake/new")
    assert page.status_code == 200
    assert "Open crises not known" in page.text
    assert "cannot be read right now" in page.text


LONG = {"person.given_name": "Ada", "person.note": "typed for ten minutes"}


async def test_a_referral_about_nobody_is_asked_about_once(
    dashboard: Dashboard, go_away: Callable[[], None]
) -> None:
    async with dashboard.as_("coordinator", "riverside") as client:
        form = form_in(await client.get("/intake/new"))
        go_away()
        asked = await client.post("/intake/new", data=form | {"person.note": "typed for ten minutes"})
        assert asked.status_code == 422
        assert "Nobody could find this person again" in asked.text
        assert "typed for ten minutes" in asked.text
        sent = await client.post("/intake/new", data=form_in(asked))
        assert sent.status_code == 503, "it is handed on, and intake is away"
        alarming = await client.post("/intake/new", data=form | {"crisis": "yes"})
        assert alarming.status_code == 503, "a crisis is handed on whoever it is about"


async def test_a_referral_that_intake_does_not_answer_keeps_its_entries_and_its_key(
    dashboard: Dashboard, go_away: Callable[[], None]
) -> None:
    async with dashboard.as_("coordinator", "riverside") as client:
        form = form_in(await client.get("/intake/new"))
        go_away()
        again = await client.post("/intake/new", data=form | LONG)
    assert again.status_code == 503
    assert "typed for ten minutes" in again.text
    assert form["idempotency_key"] in again.text


@pytest.mark.parametrize(
    ("person", "where"),
    [
        (
            Person(id="pat_1", clinic_id="riverside", courses=(COURSE,)),
            ("care_plan", "/plans/plan_1/crisis-flag"),
        ),
        (
            Person(id="pat_1", clinic_id="riverside", referrals=(Referral(id="ref_1"),)),
            ("intake", "/referrals/ref_1/crisis-flag"),
        ),
    ],
)
async def test_a_crisis_flag_is_raised_all_the_same(
    dashboard: Dashboard, sent: Sent, go_away: Callable[[], None], person: Person, where: tuple[str, str]
) -> None:
    await keep(dashboard, person)
    async with dashboard.as_("clinician", "riverside") as client:
        form = form_in(await client.get("/people/pat_1/actions/crisis-flag"))
        go_away()
        answer = await client.post("/people/pat_1/actions/crisis-flag", data=form)
    assert [(service, path) for service, path, _ in sent] == [where]
    assert answer.status_code == 200
    assert "A crisis flag was raised" in answer.text


async def test_measures_and_what_belongs_to_the_plan_are_handed_on_and_said_to_be_done(
    dashboard: Dashboard, sent: Sent, go_away: Callable[[], None]
) -> None:
    await keep(dashboard, Person(id="pat_1", clinic_id="riverside", courses=(COURSE,)))
    entries = {
        "take-measures": {"phq9_9": "3"},
        "relapse-prevention": {"plan": "for afterwards", "signs": "a"},
    }
    async with dashboard.as_("clinician", "riverside") as client:
        form = form_in(await client.get("/people/pat_1/actions/take-measures"))
        go_away()
        for act, entered in entries.items():
            answer = await client.post(f"/people/pat_1/actions/{act}", data=form | entered)
            assert (answer.status_code, "notice-success" in answer.text) == (200, True)
    assert [path for _, path, _ in sent] == ["/plans/plan_1/measures", "/plans/plan_1/relapse-prevention"]


async def test_a_session_goes_on_to_be_heeded_and_its_entry_stays(
    dashboard: Dashboard, sent: Sent, go_away: Callable[[], None]
) -> None:
    await keep(dashboard, Person(id="pat_1", clinic_id="riverside", courses=(COURSE,)))
    entered = {"form": "attended", "appointment": "apt_1", "phq9_9": "3"}
    async with dashboard.as_("clinician", "riverside") as client:
        form = form_in(await client.get("/people/pat_1/actions/record-session"))
        go_away()
        answer = await client.post("/people/pat_1/actions/record-session", data=form | entered)
    ((_, path, body),) = sent
    assert (path, body["phq9"]["items"][8]) == ("/plans/plan_1/sessions", 3)
    assert answer.status_code == 409
    assert "Not done yet" in answer.text
    assert "A crisis flag was raised all the same" in answer.text
    assert '<option value="apt_1" selected>' in answer.text
    assert 'name="phq9_9" value="3" checked' in answer.text


async def test_an_appointment_is_not_moved_unseen_and_the_form_keeps_its_key(
    dashboard: Dashboard, sent: Sent, go_away: Callable[[], None]
) -> None:
    later = PLANNED.but(starts_at=NOW + timedelta(days=1))
    await keep(
        dashboard, Person(id="pat_1", clinic_id="riverside", courses=(COURSE.but(appointments=(later,)),))
    )
    entered = {"appointment": "apt_1", "local_time": "2026-03-09T10:00"}
    async with dashboard.as_("clinician", "riverside") as client:
        form = form_in(await client.get("/people/pat_1/actions/move-appointment"))
        go_away()
        answer = await client.post("/people/pat_1/actions/move-appointment", data=form | entered)
    assert (answer.status_code, sent) == (503, [])
    assert "Not done yet" in answer.text
    assert 'value="2026-03-09T10:00"' in answer.text
    assert form_in(answer) == form


async def test_leave_that_the_scheduler_does_not_answer_keeps_its_entries(
    dashboard: Dashboard, go_away: Callable[[], None]
) -> None:
    async with dashboard.as_("coordinator", "riverside") as client:
        page = await client.get("/calendar")
        (csrf,) = {*re.findall(r'name="csrf" value="([^"]+)"', page.text)}
        clinician = re.findall(r'<option value="(cln_[^"]+)"', page.text)[0]
        entered = {"csrf": csrf, "clinician_id": clinician, "from": "2031-03-03", "to": "2031-03-05"}
        go_away()
        answer = await client.post("/calendar/leave", data=entered | {"idempotency_key": "k1"})
    assert answer.status_code == 503
    assert "Sessions are not shown" in answer.text
    assert 'value="2031-03-05"' in answer.text
    assert 'name="idempotency_key" value="k1"' in answer.text


async def test_a_taken_alert_is_shown_by_what_the_alerts_service_says(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch, go_away: Callable[[], None]
) -> None:
    taken = {"by": "somebody", "at": NOW.isoformat(), "in_time": True, "lease_until": None}
    detail = {
        "id": "alr_1", "patient_id": "pat_1", "clinic_id": "riverside", "kind": "crisis", "severity": "high",
        "state": "acknowledged", "reason": "crisis_flag", "about": "x", "informational": False,
        "clinician_id": None, "raised_at": NOW.isoformat(), "next_due": None, "evidence_count": 1,
        "acknowledgement": taken, "handed_to": None, "ending": None, "version": 2, "evidence": [],
        "obligations": [], "decisions": [], "assessment": None, "deliveries": [],
    }  # fmt: skip

    async def ask(_: Services, __: Any, ___: str, service: str, path: str, **request: Any) -> Answer:
        return Answer(200, detail, 2) if path.startswith("/alerts/") else Answer(0, {})

    monkeypatch.setattr(Services, "_ask", ask)
    async with dashboard.as_("clinician", "riverside") as client:
        form = form_in(await client.get("/intake/new"))
        go_away()
        done = await client.post("/alerts/alr_1/acknowledge", data=form)
        shown = await client.get(done.headers["location"])
    assert (done.status_code, shown.status_code) == (303, 200)
    assert "You have it" in shown.text
