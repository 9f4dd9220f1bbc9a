"""What of the services' logs is shown while a stack runs."""

import json
from pathlib import Path

from deploy.embedded.log_watch import PER_LOOK, LogLine, LogTail, keep_one_generation, understood


def _entry(level: str, event: str, **details: object) -> bytes:
    return json.dumps({"level": level, "event": event, "at": "…", "service": "intake", **details}).encode()


def test_quiet_lines_stay_in_the_log() -> None:
    assert understood("intake", _entry("info", "started")) is None
    assert understood("intake", b"") is None


def test_a_warning_is_shown_with_its_details_and_without_the_frame() -> None:
    line = understood("intake", _entry("warning", "tick failed", ticker="due"))
    assert line == LogLine("intake", "warning", "tick failed ticker=due")


def test_an_interpreters_last_words_are_shown_as_they_are() -> None:
    assert understood("intake", b"MemoryError") == LogLine("intake", "error", "MemoryError")


def test_a_line_is_shown_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "intake.log"
    tail = LogTail("intake", log)
    assert list(tail.look()) == []
    line = _entry("error", "broken")
    log.write_bytes(line[:10])
    assert list(tail.look()) == []
    log.write_bytes(line + b"\n")
    assert [shown.text for shown in tail.look()] == ["broken"]
    assert list(tail.look()) == []


def test_what_was_there_before_can_be_left_out(tmp_path: Path) -> None:
    log = tmp_path / "intake.log"
    log.write_bytes(_entry("error", "old") + b"\n")
    tail = LogTail("intake", log)
    tail.skip()
    with log.open("ab") as more:
        more.write(_entry("error", "new") + b"\n")
    assert [shown.text for shown in tail.look()] == ["new"]


def test_a_flood_is_cut_short_and_counted(tmp_path: Path) -> None:
    log = tmp_path / "intake.log"
    log.write_bytes(b"".join(_entry("warning", "again") + b"\n" for _ in range(PER_LOOK + 7)))
    shown = list(LogTail("intake", log).look())
    assert len(shown) == PER_LOOK + 1
    assert "7 more" in shown[-1].text


def test_the_logs_of_the_run_before_are_kept(tmp_path: Path) -> None:
    (tmp_path / "intake.log").write_text("before")
    keep_one_generation(tmp_path)
    assert (tmp_path / "intake.log.1").read_text() == "before"
    assert not (tmp_path / "intake.log").exists()
