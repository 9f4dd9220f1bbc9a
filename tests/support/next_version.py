"""Creates a source tree of the next version, in which `CarePlanStarted` has another schema."""

import shutil
from pathlib import Path

from deploy.embedded.plan import ROOT

ANNOUNCED = """class CarePlanStarted(CarePlanEvent):
    schema_version: ClassVar[int] = 2
"""

READ = """class CarePlanStarted(PlanFact):
    schema_version: ClassVar[int] = 2
    contracted: int = Field(ge=1, le=100)

    @classmethod
    def upcast(cls, body: dict[str, Any], version: int) -> dict[str, Any]:
        return {**body, "contracted": body["sessions"]}

    @property
    def sessions(self) -> int:
        return self.contracted

"""

CHANGES: tuple[tuple[str, str, str], ...] = (
    ("services/care_plan/events.py", "class CarePlanStarted(CarePlanEvent):\n", ANNOUNCED),
    (
        "services/care_plan/events.py",
        '    sessions: int\n    """Contracted number of sessions, N."""\n    initial_sessions',
        '    contracted: int\n    """Contracted number of sessions, N."""\n    initial_sessions',
    ),
    (
        "services/care_plan/domain/plan.py",
        "        sessions=plan.contract.sessions,\n        initial_sessions=",
        "        contracted=plan.contract.sessions,\n        initial_sessions=",
    ),
    ("services/scheduler/inbound.py", "class CarePlanStarted(PlanFact):\n", READ),
    (
        "services/scheduler/inbound.py",
        '    sessions: int = Field(ge=1, le=100)\n    """Contracted number of sessions, N."""\n',
        "",
    ),
)
"""(file, present text, text in the next version): `sessions` becomes `contracted`."""

IMPORTS = "from typing import Any, ClassVar\n"


def next_version(folder: Path) -> Path:
    """Copy the sources into `folder` and change them. Raises `LookupError` if a present text is not found."""
    for package in ("services", "shared", "deploy"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, here, there in CHANGES:
        file = folder / name
        text = file.read_text()
        if here not in text:
            raise LookupError(f"{name} has no {here!r}")
        file.write_text(text.replace(here, there, 1))
    for name in sorted({name for name, *_ in CHANGES if name.endswith(("events.py", "inbound.py"))}):
        file = folder / name
        docstring, _, rest = file.read_text().partition("\n\n")
        file.write_text(f"{docstring}\n\n{IMPORTS}{rest}")
    return folder
