"""The demo's cast: synthetic people or those of a referral file, each with a clinician of their clinic."""

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from random import Random

from deploy.demo.life import Life
from deploy.demo.population import Person, people
from services.intake.forms import ImportRow
from services.intake.importing import Format, rows


class NobodyToPlay(ValueError):
    """The file has no readable row."""


def cast(people: Iterable[Person], seed: int, clinicians: dict[str, list[str]]) -> list[Life]:
    """Assign people to the clinicians of their clinic in turn."""
    turn = dict.fromkeys(clinicians, 0)
    lives = []
    for person in people:
        own = clinicians[person.clinic]
        lives.append(Life(person, seed, own[turn[person.clinic] % len(own)]))
        turn[person.clinic] += 1
    return lives


def clinicians(clinics_file: Path) -> dict[str, list[str]]:
    """Clinic id → ids of its clinicians."""
    clinics = json.loads(clinics_file.read_text())["clinics"]
    return {clinic["id"]: [clinician["id"] for clinician in clinic["clinicians"]] for clinic in clinics}


def synthetic(count: int, seed: int, clinics_file: Path) -> list[Life]:
    staff = clinicians(clinics_file)
    return cast(people(count, seed, list(staff)), seed, staff)


def from_file(path: Path, count: int, seed: int, clinics_file: Path) -> list[Life]:
    """The first `count` readable rows of a CSV, NDJSON or NHANES file. Raises `NobodyToPlay`."""
    staff = clinicians(clinics_file)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline()
        lines.seek(0)
        found = [row for _, row in rows(lines, _format(path, header)) if isinstance(row, ImportRow)]
    random = Random(seed)  # noqa: S311 (a simulation, no secret)
    readable = (_person(number, row, list(staff), random) for number, row in enumerate(found, start=1))
    lives = cast(islice(readable, count), seed, staff)
    if not lives:
        raise NobodyToPlay(f"{path} has no row that can be read")
    return lives


def _format(path: Path, header: str) -> Format:
    if path.suffix in (".ndjson", ".jsonl"):
        return "ndjson"
    return "nhanes" if header.startswith("SEQN") else "csv"


def _person(number: int, row: ImportRow, clinics: list[str], random: Random) -> Person:
    """Take the answers from the file, and draw at random what else the play needs."""
    phq9 = row.screening.phq9.items if row.screening and row.screening.phq9 else (None,) * 9
    return Person(
        number=number,
        clinic=row.clinic_id if row.clinic_id in clinics else clinics[number % len(clinics)],
        items=tuple(item if isinstance(item, int) else None for item in phq9),
        gad7=tuple(random.choices((0, 1, 2, 3), (40, 32, 18, 10), k=7)),
        age=row.age or 40,
        answers_well=random.random() < 0.65,
    )
