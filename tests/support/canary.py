"""Personal data planted for tests, and the search for where it leaks."""

import json
import re
from collections.abc import Iterable, Mapping

PERSON = {
    "given_name": "Quetzalcoatlina",
    "family_name": "Xylophonowicz-Ñandú",
    "email": "quetzal.canary@planted.example",
    "phone": "+1 555 0173 9946",
    "note": "plantedfreetext: the neighbour's marmalade dog died in Ouagadougou",
    "birth_date": "1967-11-23",
}
ANSWERS = [2, 1, 0, 2, 1, 0, 2, 0, 0]
"""PHQ-9 answers unusual enough to be recognised."""

DANGER = [2, 1, 0, 2, 1, 0, 2, 0, 2]
WORDS = (
    "Quetzalcoatlina",
    "Xylophonowicz",
    "quetzal.canary",
    "555 0173",
    "5550173",
    "marmalade",
    "1967-11-23",
)
BETWEEN = r"[\s,;\"'\]\[]{1,3}"


def _patterns() -> dict[str, re.Pattern[str]]:
    words = {word: re.compile(re.escape(word), re.IGNORECASE) for word in WORDS}
    answers = {
        f"answers {items}": re.compile(r"(?<!\d)" + BETWEEN.join(map(str, items)) + r"(?!\d)")
        for items in (ANSWERS, DANGER)
    }
    return words | answers


def leaks(places: Mapping[str, Iterable[str | bytes]]) -> list[str]:
    """`place: what` for all planted data found there, escaped or not."""
    found: set[str] = set()
    for place, texts in places.items():
        for text in texts:
            plain = text.decode(errors="replace") if isinstance(text, bytes) else text
            for form in (plain, _unescaped(plain)):
                found |= {f"{place}: {what}" for what, sign in _patterns().items() if sign.search(form)}
    return sorted(found)


def _unescaped(text: str) -> str:
    r"""Replace JSON escapes such as `\u00d1` by their letters."""
    return re.sub(r"\\u[0-9a-fA-F]{4}", lambda code: json.loads(f'"{code[0]}"'), text)
