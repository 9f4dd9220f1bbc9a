"""Names as they are searched: word by word, ignoring case, accents and punctuation."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that do not decompose into a plain letter and a mark, but are often typed as plain letters."""

DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
NUMBER, BORN = "=", "*"
"""Prefixes of words that are not from a name: an external id, a birth date. No name word contains them."""

NOTHING = ""
"""The only word of a person without any: the index treats an empty list like a missing field."""


def folded(text: str) -> str:
    """Remove case, accents and invisible characters; folding twice changes nothing."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    shown = (char for char in plain if not unicodedata.combining(char) and unicodedata.category(char) != "Cf")
    return "".join(shown).translate(PLAIN)


def split(text: str) -> Iterator[tuple[str, ...]]:
    """The parts of each word: `Ana O'Brien` → (ana), (o, brien)."""
    for word in folded(text).split():
        parts = "".join(char if _belongs(char) else " " for char in word).split()
        if parts:
            yield tuple(parts)


def _belongs(char: str) -> bool:
    """Whether `char` is part of a word: a letter, digit or vowel sign (a mark in many scripts)."""
    return char.isalnum() or unicodedata.category(char).startswith("M")


def words_of(
    given_name: str | None, family_name: str | None, external_id: str | None, birth_date: date | None
) -> tuple[str, ...]:
    """All words by which a person is found, sorted; never empty."""
    found = name_words(given_name or "", family_name or "")
    if external_id is not None:
        found.add(NUMBER + external_id.strip())
    if birth_date is not None:
        found.add(BORN + birth_date.isoformat())
    return tuple(sorted(found)) or (NOTHING,)


def name_words(given_name: str, family_name: str) -> set[str]:
    """`O'Brien` is found as o, brien and obrien; a whole name is also found by any beginning of it.

    Scripts without case write no spaces between names, so for them both orders are included.
    """
    given, family = list(split(given_name)), list(split(family_name))
    whole_given, whole_family = _joined(given), _joined(family)
    found = {part for parts in given + family for part in (*parts, "".join(parts))}
    found |= {whole_given, whole_family}
    if any(_has_no_case(char) for char in whole_given + whole_family):
        found |= {whole_family + whole_given, whole_given + whole_family}
    return found - {""}


def _joined(words: Iterable[tuple[str, ...]]) -> str:
    return "".join(part for parts in words for part in parts)


def _has_no_case(char: str) -> bool:
    return char.isalpha() and not char.islower()


def filed_as(given_name: str | None, family_name: str | None) -> str:
    """Sort key of a list by name."""
    return " ".join("".join(parts) for parts in [*split(family_name or ""), *split(given_name or "")])


@dataclass(frozen=True)
class Question:
    """A search for anybody with the number, or with all the days and a word for each beginning."""

    number: str
    days: tuple[str, ...]
    """Words that must also be present: birth dates."""
    readings: tuple[tuple[str, ...], ...]
    """Beginnings of words. There are two readings if punctuation may or may not separate words."""

    @classmethod
    def of(cls, text: str) -> "Question":
        typed = folded(text).split()
        days = tuple(BORN + word for word in typed if _is_day(word))
        words = list(split(" ".join(word for word in typed if not _is_day(word))))
        parted = _longest(part for parts in words for part in parts)
        joined = _longest("".join(parts) for parts in words)
        return cls(NUMBER + text.strip(), days, tuple(dict.fromkeys((parted, joined))))


def _is_day(word: str) -> bool:
    try:
        return DAY.fullmatch(word) is not None and bool(date.fromisoformat(word))
    except ValueError:
        return False


def _longest(words: Iterable[str]) -> tuple[str, ...]:
    """Remove words that a longer one begins with, as it implies them; the longest first."""
    kept: list[str] = []
    for word in sorted(words, key=lambda word: (-len(word), word)):
        if not any(longer.startswith(word) for longer in kept):
            kept.append(word)
    return tuple(kept)
