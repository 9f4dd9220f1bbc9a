"""One person's way through all services as engineers see it: whole, and without a word about the person."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.plan import ROOT
from shared.messaging.log import reading
from shared.messaging.topics import topics
from shared.settings import Settings
from tests.integration.alerts.receivers import Hook, hook
from tests.support.canary import ANSWERS, DANGER, PERSON, leaks
from tests.support.collector import Collector, Exported, collecting
from tests.support.eventually import eventually
from tests.support.world import CALM, World, world
from tests.unit.alerts.test_policy import SECRET

HIGH = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}
BOOKED = "process SessionScheduled"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass
class Observed:
    kith: World
    traces: Collector
    telephone: Hook


@pytest.fixture(scope="module")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    """A stack whose people on call have a telephone, and which exports every trace."""
    folder = tmp_path_factory.mktemp("observed")
    async with collecting() as traces, hook() as telephone:
        on_call = _with_telephones(folder, telephone)
        everywhere = {"otlp_endpoint": traces.url, "books_seconds": "1"}
        alerts = {
            "on_call_file": str(on_call),
            "webhook_secret": SECRET,
            "allow_private_webhooks": "true",
        }
        async with world(folder / "kith", page=True, everywhere=everywhere, alerts=alerts) as kith:
            yield Observed(kith, traces, telephone)


def _with_telephones(folder: Path, telephone: Hook) -> Path:
    policy = json.loads((ROOT / "deploy/config/on_call.json").read_text())
    for contacts in policy["clinics"].values():
        for contact in contacts:
            contact["channels"] = [{"kind": "webhook", "to": telephone.url}]
    chosen = folder / "on_call.json"
    chosen.write_text(json.dumps(policy))
    return chosen


async def _scrape(kith: World, accept: str = OPENMETRICS) -> dict[str, str]:
    async with httpx2.AsyncClient(trust_env=False, headers={"Accept": accept}) as client:
        return {
            name: (await client.get(f"{service.address}/metrics")).text
            for name, service in kith.stack.services.items()
        }


def _lines(text: str, *parts: str) -> list[str]:
    return [line for line in text.splitlines() if all(part in line for part in parts)]


async def _in_danger(observed: Observed) -> dict[str, Any]:
    screening = {"phq9": {"items": DANGER}, "cssrs": HIGH}
    view = await observed.kith.refer(person=PERSON, age=None, screening=screening)
    await eventually(lambda: observed.telephone.bodies, within=30, that="the telephone rings")
    return view


async def test_one_referral_is_followed_across_all_services_in_one_trace(observed: Observed) -> None:
    person = PERSON | {"given_name": "Quetzalcoatlina the Second"}
    await observed.kith.refer(person=person, age=None, screening={"phq9": {"items": ANSWERS}, "cssrs": CALM})

    def trace() -> list[Exported]:
        requests = observed.traces.named("POST /referrals")
        assert len(requests) == 1
        spans = observed.traces.trace(requests[0].trace_id)
        assert {f"kith-{name}" for name in ("intake", "care_plan", "scheduler", "alerts", "dashboard")} <= {
            span.service for span in spans
        }
        assert any(span.name == BOOKED and span.service == "kith-dashboard" for span in spans)
        return spans

    spans = await eventually(trace, within=30, that="the whole trace was exported")
    by_id = {span.span_id: span for span in spans}
    booked = next(s for s in spans if s.name == BOOKED and s.service == "kith-dashboard")
    way = [booked]
    while way[-1].parent_id:
        way.append(by_id[way[-1].parent_id])
    assert [(span.service, span.name) for span in way] == [
        ("kith-dashboard", "process SessionScheduled"),
        ("kith-scheduler", "process CarePlanStarted"),
        ("kith-care_plan", "process IntakeCompleted"),
        ("kith-intake", "POST /referrals"),
    ]
    assert {"publish IntakeCompleted", "publish CarePlanStarted"} <= {span.name for span in spans}
    assert {span.attributes["kith.correlation_id"] for span in spans if span.name.startswith("process ")} == {
        way[-1].attributes["kith.correlation_id"]
    }


async def test_a_page_is_traced_back_to_its_flag_and_its_time_is_measured(observed: Observed) -> None:
    await _in_danger(observed)

    def page() -> Exported:
        return observed.traces.named("notify webhook")[0]

    await eventually(lambda: observed.traces.named("notify webhook"), within=30)
    names = await eventually(
        lambda: {
            s.name
            for s in observed.traces.trace(page().trace_id)
            if {"POST /referrals", "process CrisisFlagRaised"}
            <= {s.name for s in observed.traces.trace(page().trace_id)}
        },
        within=30,
        that="request, flag and page are one trace",
    )
    assert "notify webhook" in names

    async def measured() -> bool:
        alerts = (await _scrape(observed.kith))["alerts"]
        for stage in ("attempted", "delivered"):
            (bucket,) = _lines(alerts, "time_to_page_seconds_bucket", f'"{stage}"', 'le="0.1"')
            assert "trace_id=" in bucket
        return bool(_lines(alerts, "kith_crises_unacknowledged 1.0"))

    await eventually(measured, within=30, that="time to page is measured, with an exemplar")


async def test_what_must_not_pile_up_is_measured_in_every_service(observed: Observed) -> None:
    async def all_there() -> bool:
        scraped = await _scrape(observed.kith)
        for name, text in scraped.items():
            for metric in ("kith_gauges_refreshed_timestamp_seconds", "kith_build_info", "kith_ready",
                           "kith_outbox_oldest_seconds", "kith_dead_letters_open"):  # fmt: skip
                assert _lines(text, metric + "{", name), f"{name} does not tell {metric}"
            assert _lines(text, "kith_http_request_seconds_bucket", "trace_id="), f"{name}: no exemplar"
        assert _lines(scraped["scheduler"], "kith_due_oldest_seconds", 'ticker="due"')
        assert _lines(scraped["alerts"], "kith_consumer_lag", 'group="alerts.crisis"')
        assert _lines(scraped["intake"], "kith_books{", 'kind="referral"', 'column="expected"')
        return True

    await eventually(all_there, within=30, that="every service tells what piles up")


async def test_no_trace_is_made_of_what_nobody_traces(observed: Observed) -> None:
    """A caller that decided against recording is followed."""
    before = len(observed.traces.named("GET /health/live"))
    url = observed.kith.stack.services["intake"].address + "/health/live"
    async with httpx2.AsyncClient(trust_env=False) as client:
        ids = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
        await client.get(url, headers={"traceparent": f"00-{ids[0]}-{ids[1]}-01"})
        await client.get(url, headers={"traceparent": "Quetzalcoatlina"})
    joined = await eventually(lambda: observed.traces.trace(ids[0]), within=30)
    assert [span.parent_id for span in joined] == [ids[1]]
    assert len(observed.traces.named("GET /health/live")) >= before


async def test_nothing_about_a_person_is_seen_from_outside(observed: Observed) -> None:
    kith = observed.kith
    view = await _in_danger(observed)
    await _ask_wrongly(observed, view["id"])
    await _send_garbage(kith)

    async def set_aside() -> Any:
        return (await kith.desks.get("scheduler", "/dead-letters", role="engineer"))["items"]

    letters = await eventually(set_aside, within=30, that="the garbage is set aside")
    await kith.time.settle()
    logs = {path.name: [path.read_text()] for path in kith.stack.plan.logs.glob("*.log")}
    scraped = await _scrape(kith)
    places: dict[str, list[str | bytes]] = {
        **{f"log {name}": list(text) for name, text in logs.items()},
        **{f"metrics of {name}": [text] for name, text in scraped.items()},
        "traces": [*observed.traces.raw, *(repr(span) for span in observed.traces.spans)],
        "notifications": [*observed.telephone.bodies, *observed.telephone.ids],
        "dead letters": [json.dumps(letter) for letter in letters],
        "topics": await _everything_announced(kith),
    }
    silent = {name for name, texts in places.items() if not any(texts)}
    assert silent <= {"log kafka.log"}, "what says nothing was not searched"
    assert len(places["topics"]) > 20
    assert leaks(places) == []


async def _ask_wrongly(observed: Observed, referral_id: str) -> None:
    """Requests that are refused, in each way a refusal could repeat what was sent."""
    intake = observed.kith.stack.services["intake"].address
    headers = {"Authorization": f"Bearer {observed.kith.desks._tokens['clinician']}"}
    wrong = {"person": PERSON, "screening": {"phq9": {"items": [*DANGER[:8], "Quetzalcoatlina"]}}}
    async with httpx2.AsyncClient(base_url=intake, trust_env=False, headers=headers) as client:
        for method, path, body in (
            ("POST", "/referrals", json.dumps(wrong)),
            ("POST", "/referrals", json.dumps(wrong)[:-9]),
            ("POST", "/referrals/Quetzalcoatlina/crisis-flag", json.dumps({"note": PERSON["note"]})),
            ("PUT", f"/referrals/{referral_id}/screening", json.dumps({PERSON["family_name"]: ANSWERS})),
            ("GET", "/referrals?name=Xylophonowicz", None),
            ("GET", "/Quetzalcoatlina/5550173", None),
        ):
            answer = await client.request(
                method,
                path,
                content=body,
                headers={"Content-Type": "application/json", "X-Name": "marmalade"},
            )
            assert answer.status_code in range(400, 500) or method == "GET", (path, answer.status_code)


async def _send_garbage(kith: World) -> None:
    """A record with a person in its body, its key and its headers, that nobody can process."""
    producer = AIOKafkaProducer(bootstrap_servers=kith.stack.broker.address, enable_idempotence=False)
    await producer.start()
    try:
        await producer.send_and_wait(
            "care-plan.plans",
            json.dumps(PERSON).encode(),
            key=b"pat_x",
            headers=[("ce_type", b"Quetzalcoatlina"), ("x-name", b"Xylophonowicz")],
        )
    finally:
        await producer.stop()


async def _everything_announced(kith: World) -> list[str | bytes]:
    """Keys, headers and bodies of every record, but for the one that we sent ourselves."""
    settings = Settings(
        environment="development", kafka=kith.stack.broker.address, embedded_broker=True, jwks="unused"
    )
    found: list[str | bytes] = []
    async with reading(settings, sorted(topics())) as log:
        ends = await log.ends()
        while not await log.has_reached(ends):
            for record in await log.some():
                if record.key != b"pat_x":
                    found += [repr(record.key), repr(record.headers), record.value or b""]
    return found


@pytest.mark.parametrize("place", ["log intake.log", "metrics of intake", "traces", "notifications"])
@pytest.mark.parametrize(
    "line",
    [
        '{"event":"saved","name":"QUETZALCOATLINA"}',
        json.dumps({"family_name": PERSON["family_name"]}),
        f'kith_answers{{items="{DANGER}"}} 1',
        ",".join(map(str, ANSWERS)).encode(),
    ],
)
def test_one_leaking_line_among_many_is_found(place: str, line: str | bytes) -> None:
    calm: list[str | bytes] = ['{"event":"saved","request_id":"0123456789abcdef"}'] * 50
    assert leaks({place: calm}) == []
    assert leaks({place: [*calm, line]})
