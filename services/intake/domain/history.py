"""A person's history, as far as it bears on variant and maintenance."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

Condition = Literal["bipolar", "psychosis", "acutely_suicidal"]
MaintenanceIndication = Literal[
    "three_or_more_episodes",
    "two_with_rapid_recurrence",
    "late_onset",
    "severe_episodes",
    "family_history",
    "residual_symptoms",
]


class History(BaseModel):
    """As reported at referral. `None`: not known."""

    model_config = ConfigDict(frozen=True)

    episodes: NonNegativeInt | None = None
    """Depressive episodes so far, the present one included."""
    rapid_recurrence: bool = False
    onset_age: NonNegativeInt | None = None
    severe_episodes: bool = False
    family_history: bool = False
    residual_symptoms: bool = False
    conditions: tuple[Condition, ...] = ()

    def merged(self, later: "History | None") -> "History":
        """Merge a later report: absent or false fields change nothing, and conditions are never removed."""
        if later is None:
            return self
        told = {name: value for name, value in later if value not in (None, False, ())}
        return self.model_copy(
            update=told | {"conditions": tuple(dict.fromkeys((*self.conditions, *later.conditions)))}
        )


def maintenance_indications(
    history: History | None, *, onset_after: int
) -> tuple[MaintenanceIndication, ...]:
    """Maintenance is indicated if any of these holds (ICSI/APA 2010). `onset_after`: years of age."""
    if history is None:
        return ()
    episodes = history.episodes or 0
    held: dict[MaintenanceIndication, bool] = {
        "three_or_more_episodes": episodes >= 3,
        "two_with_rapid_recurrence": episodes == 2 and history.rapid_recurrence,
        "late_onset": history.onset_age is not None and history.onset_age > onset_after,
        "severe_episodes": history.severe_episodes,
        "family_history": history.family_history,
        "residual_symptoms": history.residual_symptoms,
    }
    return tuple(indication for indication, holds in held.items() if holds)
