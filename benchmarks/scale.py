"""The size of a run."""

from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["quick", "normal", "full"]


@dataclass(frozen=True)
class Scale:
    size: Size = "normal"
    rounds: int = 3

    def facts(self) -> dict[str, Any]:
        """The run's facts for its result."""
        return {"size": self.size, "rounds": self.rounds}

    def pick(self, *, quick: int, normal: int, full: int | None = None) -> int:
        """The number for this size; `full` defaults to `normal`."""
        return {"quick": quick, "normal": normal, "full": full or normal}[self.size]
