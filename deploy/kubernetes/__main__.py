"""`python -m deploy.kubernetes` checks every overlay; `write` writes the files generated from the code.

`--crds FOLDER` also checks operators' resources against the definitions (YAML) of the operators in use.
"""

import argparse
import json
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped, unused-ignore]

from deploy.embedded.plan import ROOT
from deploy.kubernetes import operators, schemas
from deploy.kubernetes.checks import problems
from deploy.kubernetes.objects import Document, Objects
from deploy.kubernetes.rendering import HERE, OVERLAYS, NoKubectl, NotRendered, documents, rendered
from deploy.watchdog.clinic import with_clinic

HEAD = "# Written by `python -m deploy.kubernetes write` from what the code declares.\n"


def written() -> dict[Path, str]:
    """The files generated from the code: path → content."""
    components = HERE / "components"
    clinics = json.loads((ROOT / "deploy" / "config" / "clinics.json").read_text())
    return {
        components / "kafka" / "topics.yaml": _yaml(operators.topic_resources()),
        components / "kafka" / "users.yaml": _yaml(operators.user_resources()),
        components / "watchdog" / "clinics.json": json.dumps(with_clinic(clinics), indent=2) + "\n",
    }


def _yaml(resources: list[Document]) -> str:
    text: str = yaml.safe_dump_all(resources, sort_keys=False, default_flow_style=None, width=110)
    return HEAD + text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes", description=__doc__)
    parser.add_argument("do", nargs="?", choices=["check", "write"], default="check")
    parser.add_argument("--crds", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if asked.do == "write":
        for path, content in written().items():
            path.write_text(content)
        return 0
    return _check(asked.crds)


def _check(crds: Path | None) -> int:
    definitions = None if crds is None else schemas.read_definitions(crds)
    failed = False
    for overlay in OVERLAYS:
        try:
            objects = Objects(documents(rendered(overlay)))
        except (NoKubectl, NotRendered) as error:
            sys.stderr.write(f"{error}\n")
            return 2
        found = [*schemas.problems(objects, definitions), *problems(objects)]
        sys.stdout.writelines(f"{overlay}: {problem}\n" for problem in found)
        sys.stdout.write(f"{overlay}: {len(objects.documents)} objects, {len(found)} problems\n")
        failed = failed or bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
