"""What owners publish and what consumers read fit together."""

import json
from pathlib import Path

import pytest

from deploy.contracts.export import SERVICES, announced, exports, subscriptions
from shared.messaging.topics import topics

ROOT = Path(__file__).parents[2]
EXPORTED = exports()
READERS = [
    pytest.param(service, model, id=f"{service}-{model.__name__}")
    for service in SERVICES
    for reactions in subscriptions(service).values()
    for model, _ in reactions
    if not model.topic.endswith(".dead-letters")
]


@pytest.mark.parametrize("path", EXPORTED)
def test_the_exported_contract_is_what_the_code_says(path: str) -> None:
    assert (ROOT / path).read_text() == EXPORTED[path]


@pytest.mark.parametrize(("service", "model"), READERS)
def test_every_declared_consumer_reads_every_published_example(service: str, model: type) -> None:
    path = ROOT / f"shared/contracts/examples/{model.topic}.{model.__name__}.v{model.schema_version}.json"
    for example in json.loads(path.read_text()).values():
        fact = model.model_validate_json(json.dumps(example))
        assert fact.patient_id == example["patient_id"]


def test_no_reader_is_a_version_behind_its_owner() -> None:
    """It would set every message aside as `newer_schema`."""
    owners = {(e.topic, e.__name__): e.schema_version for service in SERVICES for e in announced(service)}
    behind = [
        f"{service} reads {model.__name__} v{model.schema_version}"
        for service, model in (param.values for param in READERS)
        if model.schema_version < owners[model.topic, model.__name__]
    ]
    assert behind == []


def test_every_reader_is_declared_as_a_consumer_of_its_topic() -> None:
    reading = {
        (model.topic, service)
        for service in SERVICES
        for reactions in subscriptions(service).values()
        for model, _ in reactions
    }
    declared = {(topic.name, consumer) for topic in topics().values() for consumer in topic.consumers}
    assert reading == declared


def test_every_declared_type_has_an_owner() -> None:
    declared = {
        (t.name, kind) for t in topics().values() for kind in t.types if kind != "MessageDeadLettered"
    }
    assert declared == {(e.topic, e.__name__) for service in SERVICES for e in announced(service)}


def test_the_page_hears_of_everything_that_is_announced_to_it() -> None:
    heard = {
        (model.topic, model.__name__)
        for reactions in subscriptions("dashboard").values()
        for model, _ in reactions
    }
    told = [topic for topic in topics().values() if "dashboard" in topic.consumers]
    announced_to_it = {(topic.name, kind) for topic in told for kind in topic.types}
    assert announced_to_it - heard == set()
