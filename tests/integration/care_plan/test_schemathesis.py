"""What care_plan's OpenAPI document says is what it does."""

from pathlib import Path

from tests.integration.care_plan.conftest import CLINIC, CarePlan
from tests.support.http_sample import token
from tests.support.http_schemathesis import schemathesis
from tests.support.http_wire import serving


async def test_no_generated_request_gets_a_5xx_or_an_undocumented_answer(
    care_plan: CarePlan, tmp_path: Path
) -> None:
    await care_plan.start()
    async with serving(care_plan.app) as port:
        clinician = token("clinician", clinic=CLINIC)
        status, report = await schemathesis(f"http://127.0.0.1:{port}", clinician, tmp_path, examples=4)
    assert status == 0, report
    assert "No issues found" in report, report
