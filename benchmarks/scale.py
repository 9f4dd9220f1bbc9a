"""How large a run is."""

from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["quick", "normal", "full"]


@dataclass(frozen=True)
class Scale:
    size: Size = "normal"
    rounds: int = 3

    def facts(self) -> dict[str, Any]:
        """What a result says of its run."""
        return {"size": self.size, "rounds": self.rounds}

    def pick(self, *, quick: int, normal: int, full: int | None = None) -> int:
        """The number for this size; a full run is a normal one where nothing else is said."""
        return {"quick": quick, "normal": normal, "full": full or normal}[self.size]
