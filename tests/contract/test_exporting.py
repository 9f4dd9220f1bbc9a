"""`python -m deploy.contracts`: what it writes, and what it refuses to."""

import json
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.contracts.__main__ import main
from deploy.contracts.export import SERVICES, Undescribed, announced, exports, says, schema
from shared.messaging.dead_letters import MessageDeadLettered
from shared.messaging.event import Event

EVENT = "care-plan.plans.PhaseEntered.v1.json"
SCHEMA = f"shared/contracts/schemas/{EVENT}"
EXAMPLES = f"shared/contracts/examples/{EVENT}"
EARLIER = f"shared/contracts/examples/earlier/{EVENT}"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A repository whose readers were promised a field that the code no longer has, and an old table."""
    promised = json.loads(exports()[SCHEMA])
    promised["properties"]["mood"] = {"type": "string"}
    schema = tmp_path / SCHEMA
    schema.parent.mkdir(parents=True)
    schema.write_text(json.dumps(promised))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/events.md").write_text("old")
    return tmp_path


def published_without(root: Path, field: str) -> None:
    """Write a first export of an event that did not have this field yet."""
    schema, made = json.loads(exports()[SCHEMA]), json.loads(exports()[EXAMPLES])
    del schema["properties"][field]
    for example in made.values():
        del example[field]
    for path, content in ((SCHEMA, schema), (EXAMPLES, made)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(json.dumps(content))


def contents(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_nothing_is_written_while_a_change_would_break_readers(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(published)
    for _ in range(2):
        assert main([], root=published) == 1
        said = capsys.readouterr().out
        assert f"{SCHEMA}: mood was removed" in said
        assert "Raise schema_version of class PhaseEntered in services/care_plan/events.py." in said
        assert contents(published) == before
    assert main(["--check"], root=published) == 1


def test_a_change_that_breaks_readers_is_written_on_demand_and_named(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--break"], root=published) == 0
    assert f"{SCHEMA}: mood was removed" in capsys.readouterr().out
    assert contents(published) == exports()
    assert main(["--check"], root=published) == 0


def test_nothing_is_written_while_a_reader_asks_for_a_field_that_older_messages_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published_without(tmp_path, "phase")
    before = contents(tmp_path)
    assert main([], root=tmp_path) == 1
    assert (
        "class PhaseEntered in services/alerts/inbound.py does not read messages of version 1"
        " (phase: Field required): give it a default, or raise schema_version of class PhaseEntered"
        " in services/care_plan/events.py"
    ) in capsys.readouterr().out
    assert contents(tmp_path) == before
    assert main(["--break"], root=tmp_path) == 0
    assert contents(tmp_path) == exports()


def test_examples_without_a_new_field_are_kept_for_the_readers_to_come(tmp_path: Path) -> None:
    published_without(tmp_path, "previous")
    older = json.loads((tmp_path / EXAMPLES).read_text())
    assert main([], root=tmp_path) == 0
    written = contents(tmp_path)
    assert json.loads(written.pop(EARLIER))[0] == older["typical"]
    assert written == exports()
    assert main(["--check"], root=tmp_path) == 0


def test_what_several_events_share_is_to_be_raised_in_the_class_above_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for event in announced("alerts"):
        narrower = json.loads(exports()[schema(event)])
        narrower["properties"]["kind"]["enum"].remove("crisis")
        (tmp_path / schema(event)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / schema(event)).write_text(json.dumps(narrower))
    assert main([], root=tmp_path) == 1
    said = capsys.readouterr().out
    assert said.count("kind may now be crisis") == 1
    assert "Raise schema_version of class AlertEvent in services/alerts/events.py." in said


def test_the_first_export_writes_everything(tmp_path: Path) -> None:
    assert main([], root=tmp_path) == 0
    assert contents(tmp_path) == exports()


def test_every_event_says_in_a_sentence_of_its_own_what_happened() -> None:
    events = [MessageDeadLettered, *(event for service in SERVICES for event in announced(service))]
    sentences = [says(event) for event in events]
    assert all(sentence.endswith(".") and ". " not in sentence for sentence in sentences)
    assert len(set(sentences)) == len(events)


def test_an_event_that_only_its_base_class_describes_is_refused_by_name() -> None:
    class Described(Event):
        """Common ground."""

        topic: ClassVar[str] = "care-plan.plans"

    class MoodRecorded(Described):
        pass

    with pytest.raises(Undescribed, match=r"test_exporting\.MoodRecorded has no docstring"):
        says(MoodRecorded)
