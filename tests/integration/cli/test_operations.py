"""`kith trace`, `books`, `dead-letters` and `outbox` on a running stack."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.state import running_state
from shared.messaging.envelope import Envelope
from shared.mongo import MongoDatabase
from tests.integration.cli.conftest import Running
from tests.support.eventually import eventually

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


def refer(stack: Running, name: str, item_9: int = 0) -> str:
    """A mildly depressed person whom the rules enrol; returns the patient id."""
    form = {
        "clinic_id": "riverside",
        "external_id": name,
        "person": {"given_name": "Ada", "family_name": "Lovelace", "birth_date": "1980-01-01"},
        "consent": True,
        "screening": {
            "phq9": {"items": [1, 1, 1, 1, 1, 1, 1, 1, item_9]},
            "gad7": {"items": [1] * 7},
            "cssrs": {"q1": False, "q2": False, "q6": False},
        },
    }
    return str(stack.ask("POST", "intake", "/referrals", json=form)["patient_id"])


def story(stack: Running, patient: str) -> list[dict[str, Any]]:
    told = stack.kith("trace", patient, "--json")
    assert told.exit_code == 0, told.output
    events: list[dict[str, Any]] = json.loads(told.stdout)["events"]
    return events


async def test_a_story_is_told_across_services_with_what_caused_what(stack: Running) -> None:
    patient = refer(stack, "story")
    await eventually(
        lambda: sum(event["type"] == "SessionScheduled" for event in story(stack, patient)) >= 12,
        within=60,
        pause=0.5,
    )
    events = {event["type"]: event for event in story(stack, patient)}
    assert events["ReferralReceived"]["because"] == "a request"
    assert events["CarePlanStarted"]["caused_by"] == events["IntakeCompleted"]["number"]
    assert events["SessionScheduled"]["caused_by"] == events["CarePlanStarted"]["number"]
    assert all((event["caused_by"] or 0) < event["number"] for event in story(stack, patient))
    shown = stack.kith("trace", patient)
    assert "12 appointments" in shown.stdout
    assert f"← #{events['IntakeCompleted']['number']}" in shown.stdout
    assert "Lovelace" not in shown.stdout


async def test_a_crisis_is_in_the_story_with_its_alert_and_deliveries(stack: Running) -> None:
    patient = refer(stack, "crisis", item_9=2)
    await eventually(
        lambda: "AlertRaised" in {event["type"] for event in story(stack, patient)}, within=60, pause=0.5
    )
    events = {event["type"]: event for event in story(stack, patient)}
    assert events["AlertRaised"]["caused_by"] == events["CrisisFlagRaised"]["number"]


@pytest.mark.parametrize("patient", ["pat_nobody", "../x y", "ø"])
def test_a_person_nobody_knows_is_said_to_be_unknown(stack: Running, patient: str) -> None:
    told = stack.kith("trace", patient)
    assert told.exit_code == 1
    assert "no service knows" in told.stderr


def test_the_books_of_all_services_balance(stack: Running) -> None:
    refer(stack, "books")
    told = stack.kith("books", "--json")
    joined = {line["kind"]: line for line in json.loads(told.stdout)["kinds"]}
    assert joined["referral"]["balanced"], joined
    assert joined["dead_letter"]["expected"] is not None
    assert "referral" in stack.kith("books").stdout


def completed(patient: str, **changes: Any) -> Envelope:
    """An `IntakeCompleted` that never stood in intake's outbox."""
    referral = f"ref_{uuid4().hex}"
    body = {
        "patient_id": patient,
        "clinic_id": "riverside",
        "referral_id": referral,
        "completed_at": NOW.isoformat(),
        "variant": "ipt-12",
        "sessions": 12,
        "clinician_id": "cln_r01",
        "phq9_total": 9,
        "gad7_total": 7,
        "maintenance_indications": [],
        "decided_by": "rule",
    }
    return Envelope(
        id=str(uuid4()),
        type="IntakeCompleted",
        source="intake",
        subject=referral,
        sequence=1,
        time=NOW,
        topic="intake.referrals",
        key=patient,
        schema_version=1,
        correlation_id="test",
        causation_id=None,
        body=json.dumps(body | changes).encode(),
    )


async def set_aside(stack: Running, message: Envelope, headers: list[tuple[str, bytes]]) -> str:
    """Publish a broken message; returns care_plan's dead letter."""
    state, before = running_state(stack.data), letters(stack)
    assert state is not None
    producer = AIOKafkaProducer(bootstrap_servers=state.kafka)
    await producer.start()
    try:
        await producer.send_and_wait(message.topic, message.body, key=message.key.encode(), headers=headers)
    finally:
        await producer.stop()
    return min(await eventually(lambda: letters(stack) - before, within=60, pause=0.3))


def letters(stack: Running, service: str = "care_plan") -> set[str]:
    listed = stack.kith("dead-letters", "list", "--service", service, "--json")
    return {item["id"] for item in json.loads(listed.stdout)["items"]}


async def test_a_dead_letter_is_listed_shown_and_tried_again_only_when_told_to(stack: Running) -> None:
    message = completed("pat_dead", sessions="a dozen")
    id = await set_aside(stack, message, message.headers())
    listed = stack.kith("dead-letters", "list")
    assert id in listed.stdout.replace("\n", "")
    assert "invalid_body" in listed.stdout
    shown = stack.kith("dead-letters", "show", id)
    assert json.loads(shown.stdout)["service"] == "care_plan"
    assert "pat_dead" in json.loads(shown.stdout)["value"]
    dry = stack.kith("dead-letters", "replay", id)
    assert dry.exit_code == 0
    assert "would be tried again" in dry.stdout
    assert "--yes" in dry.stdout
    failed = stack.kith("dead-letters", "replay", id, "--yes")
    assert failed.exit_code == 1, failed.output
    assert "dead_lettered" in failed.stdout


async def test_a_dead_letter_whose_defect_was_mended_takes_effect_once(stack: Running) -> None:
    message = completed(f"pat_{uuid4().hex}")
    headers = [header for header in message.headers() if header[0] != "ce_time"]
    id = await set_aside(stack, message, headers)
    await mend_headers(stack, id, message)
    done = stack.kith("dead-letters", "replay", id, "--yes")
    assert done.exit_code == 0, done.output
    assert "processed" in done.stdout
    again = stack.kith("dead-letters", "replay", id, "--yes")
    assert "already_replayed" in again.stdout
    started = [event for event in story(stack, message.key) if event["type"] == "CarePlanStarted"]
    assert len(started) == 1
    assert started[0]["because"] == "← elsewhere"
    replayed = stack.kith("dead-letters", "list", "--state", "replayed")
    assert id in replayed.stdout.replace("\n", "")


async def test_a_dead_letter_that_can_never_be_processed_is_given_up_with_a_reason(stack: Running) -> None:
    message = completed(f"pat_{uuid4().hex}", sessions="torn")
    id, before = await set_aside(stack, message, message.headers()), cancelled(stack)
    assert stack.kith("dead-letters", "discard", id, "--because", "Jane Doe", "--yes").exit_code == 1
    dry = stack.kith("dead-letters", "discard", id, "--because", "torn_record")
    assert (dry.exit_code, id in letters(stack)) == (0, True)
    for exit_code in (0, 1):
        done = stack.kith("dead-letters", "discard", id, "--because", "torn_record", "--yes")
        assert done.exit_code == exit_code, done.output
    assert id not in letters(stack)
    assert cancelled(stack) == before + 1
    shown = json.loads(stack.kith("dead-letters", "show", id).stdout)
    assert (shown["state"], shown["discarded"]["reason"]) == ("discarded", "torn_record")
    assert "already_discarded" in stack.kith("dead-letters", "replay", id, "--yes").stdout


def cancelled(stack: Running) -> int:
    """Dead letters that were given up, in the books."""
    kinds = json.loads(stack.kith("books", "--json").stdout)["kinds"]
    return next(kind["cancelled"] for kind in kinds if kind["kind"] == "dead_letter")


async def mend_headers(stack: Running, id: str, message: Envelope) -> None:
    """As an engineer would after a producer's defect."""
    state = running_state(stack.data)
    assert state is not None
    database = MongoDatabase(state.mongodb, "kith_care_plan")
    headers = [[name, value] for name, value in message.headers()]
    await database["dead_letters"].update_one({"_id": id}, {"$set": {"headers": headers}})
    await database.close()


async def test_what_the_dashboard_could_not_read_is_listed_and_shown_with_the_others(stack: Running) -> None:
    message = completed(f"pat_{uuid4().hex}")
    await set_aside(stack, message, [header for header in message.headers() if header[0] != "ce_time"])
    (id, *_) = await eventually(lambda: letters(stack, "dashboard"), within=60, pause=0.3)
    assert id in {
        item["id"] for item in json.loads(stack.kith("dead-letters", "list", "--json").stdout)["items"]
    }
    assert json.loads(stack.kith("dead-letters", "show", id).stdout)["service"] == "dashboard"


def test_a_dead_letter_nobody_has_is_said(stack: Running) -> None:
    for id in ("care_plan.work:none", "none"):
        told = stack.kith("dead-letters", "show", id)
        assert told.exit_code == 1
        assert f"no dead letter {id}" in told.stderr


async def test_the_outbox_is_published_again_only_when_told_to_and_nothing_happens_twice(
    stack: Running,
) -> None:
    patient = refer(stack, "outbox")
    await eventually(
        lambda: any(event["type"] == "CarePlanStarted" for event in story(stack, patient)),
        within=60,
        pause=0.5,
    )
    span = ["--service", "intake", "--since", "2020-01-01T00:00:00Z"]
    dry = stack.kith("outbox", "replay", *span)
    assert dry.exit_code == 0
    assert "would be published again" in dry.stdout
    assert stack.kith("outbox", "replay", *span, "--until", "2020-01-02T00:00:00+00:00").stdout.startswith(
        "0 "
    )
    before = stack.ask("GET", "intake", "/flow", role="engineer")["published"]
    done = stack.kith("outbox", "replay", *span, "--yes")
    assert "are published again" in done.stdout
    await eventually(lambda: _all_published_again(stack, before), within=60, pause=0.3)
    started = [event for event in story(stack, patient) if event["type"] == "CarePlanStarted"]
    assert len(started) == 1


def _all_published_again(stack: Running, before: dict[str, int]) -> bool:
    flow = stack.ask("GET", "intake", "/flow", role="engineer")
    return flow["outbox_pending"] == 0 and sum(flow["published"].values()) > sum(before.values())
