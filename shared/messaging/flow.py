"""Progress of this process: offsets published, offsets consumed, and whether it is busy."""

from collections import Counter, defaultdict

Place = tuple[str, int]
"""(topic, partition)"""


class Flow:
    """Records progress. Offsets are next offsets: one past the last message published or processed."""

    def __init__(self) -> None:
        self.published: dict[Place, int] = {}
        self.consumed: dict[str, dict[Place, int]] = defaultdict(dict)
        self.assignments: Counter[str] = Counter()
        """How often each subscription's partitions were assigned."""
        self.working = 0

    def note_published(self, place: Place, offset: int) -> None:
        self.published[place] = max(self.published.get(place, 0), offset)

    def note_consumed(self, subscription: str, offsets: dict[Place, int]) -> None:
        self.consumed[subscription].update(offsets)

    def note_assigned(self, subscription: str) -> None:
        """Forget consumed offsets: after a rebalance another member may have read further.

        This includes partitions we keep: another member may have had them while we were stopped.
        """
        self.assignments[subscription] += 1
        self.consumed[subscription].clear()

    def begin_epoch(self) -> None:
        self.published.clear()
        self.consumed.clear()
