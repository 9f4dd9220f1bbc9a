"""What the OpenAPI document says is what the edge does."""

from pathlib import Path

from tests.support.http_sample import sample_app, token
from tests.support.http_schemathesis import schemathesis
from tests.support.http_wire import serving


async def test_no_generated_request_gets_a_5xx_or_an_undocumented_answer(tmp_path: Path) -> None:
    async with serving(sample_app()) as port:
        status, report = await schemathesis(
            f"http://127.0.0.1:{port}",
            token("clinician", "engineer", clinic="*"),
            tmp_path,
            "--exclude-path=/failing",
        )
    assert status == 0, report
    assert "No issues found" in report, report
