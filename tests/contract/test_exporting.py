"""`python -m deploy.contracts`: what it writes, and what it refuses to."""

import json
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.contracts.__main__ import main
from deploy.contracts.export import SERVICES, Undescribed, announced, exports, says
from shared.messaging.dead_letters import MessageDeadLettered
from shared.messaging.event import Event

SCHEMA = "shared/contracts/schemas/care-plan.plans.PhaseEntered.v1.json"


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


def contents(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_nothing_is_written_while_a_change_would_break_readers(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(published)
    for _ in range(2):
        assert main([], root=published) == 1
        assert f"{SCHEMA}: mood was removed" in capsys.readouterr().out
        assert contents(published) == before
    assert main(["--check"], root=published) == 1


def test_a_change_that_breaks_readers_is_written_on_demand_and_named(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--break"], root=published) == 0
    assert f"{SCHEMA}: mood was removed" in capsys.readouterr().out
    assert contents(published) == exports()
    assert main(["--check"], root=published) == 0


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
