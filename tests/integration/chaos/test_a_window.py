"""The smallest run there is: one fault on real servers, beside the same people undisturbed."""

from pathlib import Path
from time import monotonic

from tests.chaos.figures import WindowResult
from tests.chaos.side_by_side import Comparison, side_by_side
from tests.chaos.timeline import windows

FAULT = ("die between commit and page: alerts",)


async def test_alerts_killed_with_a_page_decided_and_not_sent_has_somebody_paged(tmp_path: Path) -> None:
    lines: list[str] = []
    results: list[WindowResult] = []
    comparison = Comparison(tmp_path, 7, windows([FAULT]), until=monotonic() + 600)
    compared = await side_by_side(comparison, lines.append, results.append)
    assert [violation.line for result in compared.telling for violation in result.violations] == []
    assert [result.faults for result in results] == [(), FAULT]
    assert [result.notes for result in results] == [[], []]
    assert results[1].page is not None
    assert any("was ended by SIGKILL" in line for line in lines)
    assert compared.not_reached == []
