"""PHQ-9 and GAD-7: item answers, and intake's only scoring of them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Band = Literal["minimal", "mild", "moderate", "moderately_severe", "severe"]
Points = Annotated[int, Field(strict=True, ge=0, le=3)]
Answer = Points | Literal["refused", "dont_know"] | None
"""0 not at all … 3 nearly every day. Everything else is *missing*, never 0; `None`: not answered (yet)."""

Answers = tuple[Answer, ...]


class Instrument(BaseModel):
    """A questionnaire as published: its items, its bands (lowest total of each), its LOINC codes."""

    model_config = ConfigDict(frozen=True)

    name: Literal["phq9", "gad7"]
    items: int
    bands: tuple[tuple[int, Band], ...]
    loinc_panel: str | None = None
    loinc_items: tuple[str, ...] = ()
    loinc_total: str


PHQ9 = Instrument(
    name="phq9",
    items=9,
    bands=((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "moderately_severe"), (20, "severe")),
    loinc_panel="44249-1",
    loinc_items=(
        "44250-9",
        "44255-8",
        "44259-0",
        "44254-1",
        "44251-7",
        "44258-2",
        "44252-5",
        "44253-3",
        "44260-8",
    ),
    loinc_total="44261-6",
)
"""Nine items, 0–27 (Kroenke 2001). Item 9 asks about being better off dead."""

GAD7 = Instrument(
    name="gad7",
    items=7,
    bands=((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe")),
    loinc_total="70274-6",
)
"""Seven items, 0–21, cuts 5 / 10 / 15."""

LOINC_ANSWERS = {0: "LA6568-5", 1: "LA6569-3", 2: "LA6570-1", 3: "LA6571-9"}

NHANES_CODES: dict[str, Literal["refused", "dont_know"] | None] = {"7": "refused", "9": "dont_know", "": None}
"""NHANES' codes beside 0–3: 7 refused, 9 don't know, empty missing."""


class Score(BaseModel):
    """`total` and `band` only when every item is answered: a partial sum is never a score."""

    model_config = ConfigDict(frozen=True)

    total: int | None
    band: Band | None
    missing_items: tuple[int, ...]
    """Item numbers, from 1."""
    started: bool
    """At least one item has an answer, even a refusal."""


def unanswered(instrument: Instrument) -> Answers:
    return (None,) * instrument.items


def score(instrument: Instrument, answers: Answers) -> Score:
    """Total and band (clinical.md, Measures). Raises `ValueError` for a wrong number of answers."""
    if len(answers) != instrument.items:
        raise ValueError(f"{instrument.name} has {instrument.items} items")
    points = [answer for answer in answers if isinstance(answer, int)]
    missing = tuple(n for n, answer in enumerate(answers, start=1) if not isinstance(answer, int))
    total = None if missing else sum(points)
    return Score(
        total=total,
        band=None if total is None else band(instrument, total),
        missing_items=missing,
        started=any(answer is not None for answer in answers),
    )


def band(instrument: Instrument, total: int) -> Band:
    """The highest band whose lowest total is reached."""
    return [name for lowest, name in instrument.bands if total >= lowest][-1]


def merged(before: Answers, given: Answers) -> Answers:
    """New answers replace earlier ones; items not answered now keep their earlier answers."""
    return tuple(earlier if now is None else now for earlier, now in zip(before, given, strict=True))


def nhanes_answer(code: str) -> Answer | str:
    """Convert an NHANES cell to an answer; an unknown code is returned unchanged, to be refused later."""
    cell = code.strip()
    if cell in NHANES_CODES:
        return NHANES_CODES[cell]
    return int(cell) if cell in {"0", "1", "2", "3"} else cell
