"""What owners publish and what consumers read fit together."""

from pathlib import Path

import pytest

from deploy.contracts.export import SERVICES, announced, exports, subscriptions
from deploy.contracts.reading import behind, published, readers, unread
from shared.messaging.event import Inbound
from shared.messaging.topics import topics

ROOT = Path(__file__).parents[2]
EXPORTED = exports()
READERS = [pytest.param(model, id=f"{service}-{model.__name__}") for service, model in readers()]


@pytest.mark.parametrize("path", EXPORTED)
def test_the_exported_contract_is_what_the_code_says(path: str) -> None:
    assert (ROOT / path).read_text() == EXPORTED[path]


@pytest.mark.parametrize("model", READERS)
def test_every_reader_survives_every_example_that_was_ever_published(model: type[Inbound]) -> None:
    assert published(ROOT, model, model.schema_version)
    if problems := sorted(set(unread(ROOT, model))):
        pytest.fail("\n".join(problems), pytrace=False)


def test_no_reader_is_a_version_behind_its_owner() -> None:
    """It would set every message aside as `newer_schema`."""
    if late := [*behind()]:
        pytest.fail("\n".join(late), pytrace=False)


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
