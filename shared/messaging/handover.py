"""Hands committed rows to the relay of the same process, which then need not read them.

The outbox remains the source of truth. Rows handed over are published without reading it only if all their
predecessors are known to be published. Otherwise, or in doubt, they are dropped and the outbox is read.
"""

from collections.abc import Iterable, Sequence

from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Row

SUBJECTS = 4096
"""How many subjects to remember the last published sequence of."""


class Published:
    """The last published sequence of recently published subjects, in one lane and epoch."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def note(self, messages: Iterable[Envelope]) -> None:
        for message in messages:
            subject = (message.topic, message.subject)
            self._last[subject] = max(self._last.pop(subject, 0), message.sequence)
        while len(self._last) > SUBJECTS:
            del self._last[next(iter(self._last))]

    def rest(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows with a message that is not known to be published."""
        return [row for row in rows if any(m.sequence > self._reached(m) for m in row.envelopes)]

    def is_followed_by(self, messages: Sequence[Envelope]) -> bool:
        """Whether all predecessors of these messages were published, subject by subject.

        Each subject's messages must be in order. Sequence 1 has no predecessor.
        """
        reached: dict[tuple[str, str], int] = {}
        for message in messages:
            subject = (message.topic, message.subject)
            if message.sequence > reached.get(subject, self._reached(message)) + 1:
                return False
            reached[subject] = max(message.sequence, reached.get(subject, 0))
        return True

    def _reached(self, message: Envelope) -> int:
        return self._last.get((message.topic, message.subject), 0)
