"""From a commit to the relay of the same process, which need not read what it is handed.

The outbox stays the truth. Rows handed over are published without reading it only if nothing before them can
be missing. Otherwise, and whenever anything is unclear, they are dropped and the outbox is read.
"""

from collections.abc import Iterable, Sequence

from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Row

SUBJECTS = 4096
"""Of how many subjects the last published sequence is remembered."""


class Published:
    """The last sequence of the subjects that were published lately, in one lane and epoch."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def note(self, messages: Iterable[Envelope]) -> None:
        for message in messages:
            subject = (message.topic, message.subject)
            self._last[subject] = max(self._last.pop(subject, 0), message.sequence)
        while len(self._last) > SUBJECTS:
            del self._last[next(iter(self._last))]

    def rest(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with a message that is not known to be published."""
        return [row for row in rows if any(m.sequence > self._reached(m) for m in row.envelopes)]

    def is_followed_by(self, messages: Sequence[Envelope]) -> bool:
        """Whether everything that comes before these messages was published, subject by subject.

        Each subject's messages must be in order. Sequence 1 has nothing before it.
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
