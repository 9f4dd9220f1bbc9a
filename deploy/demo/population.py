"""Simulated people whose answers follow the distribution of real ones.

PHQ-9 items are drawn from the frequencies of NHANES 2017–2018 within the band of the total. The mix of
bands is that of a clinic that treats depression, not of the general population.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

FREQUENCIES = Path(__file__).with_name("frequencies.json")

BANDS = {
    "minimal": (0, 4),
    "mild": (5, 9),
    "moderate": (10, 14),
    "moderately_severe": (15, 19),
    "severe": (20, 27),
}
MIX = {"minimal": 4, "mild": 42, "moderate": 38, "moderately_severe": 11, "severe": 5}
"""Percent of referrals by band."""

ITEM_9 = 8


@dataclass(frozen=True)
class Person:
    """One future referral. `items`: PHQ-9 answers, 0–3 each, None if not answered."""

    number: int
    clinic: str
    items: tuple[int | None, ...]
    gad7: tuple[int, ...]
    age: int
    answers_well: bool
    """Whether treatment helps."""


def answers(band: str, random: Random, frequencies: dict[str, Any]) -> tuple[int, ...]:
    """Nine items whose total lies in the band."""
    low, high = BANDS[band]
    while True:
        items = tuple(random.choices((0, 1, 2, 3), weights)[0] for weights in frequencies[band])
        if low <= sum(items) <= high:
            return items


def people(count: int, seed: int, clinics: list[str]) -> Iterator[Person]:
    """Generate people, the same for the same seed. About one in seventy leaves an item unanswered."""
    random = Random(seed)  # noqa: S311 (a simulation, no secret)
    frequencies = json.loads(FREQUENCIES.read_text())["answers"]
    for number in range(1, count + 1):
        band = random.choices(list(MIX), list(MIX.values()))[0]
        items: tuple[int | None, ...] = answers(band, random, frequencies)
        if random.random() < 1 / 70:
            gap = random.randrange(9)
            items = (*items[:gap], None, *items[gap + 1 :])
        yield Person(
            number=number,
            clinic=clinics[number % len(clinics)],
            items=items,
            gad7=tuple(random.choices((0, 1, 2, 3), (40, 32, 18, 10), k=7)),
            age=random.randint(19, 79),
            answers_well=random.random() < 0.65,
        )


def later_answers(person: Person, attended: int, sessions: int, random: Random) -> list[int]:
    """PHQ-9 items at a later session: those who answer well lose most of their symptoms by the end."""
    share = attended / sessions
    keep = 1 - (0.85 if person.answers_well else 0.15) * share
    now = [min(3, int((item or 0) * keep + random.random() * 0.6)) for item in person.items]
    now[ITEM_9] = 0
    return now
