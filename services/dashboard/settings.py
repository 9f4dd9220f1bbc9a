"""Settings of the dashboard, in addition to every service's."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from shared.settings import Settings


class DashboardSettings(Settings):
    intake_url: str = "http://intake:8000"
    care_plan_url: str = "http://care-plan:8000"
    scheduler_url: str = "http://scheduler:8000"
    alerts_url: str = "http://alerts:8000"

    idle_minutes: int = Field(default=15, ge=1, le=480)
    """Automatic sign-out (45 CFR 164.312) after this long without a request or a key press."""

    development_key: Path | None = None
    """Development only: the key that signs the tokens of the development sign-in."""

    @model_validator(mode="after")
    def _signs_nobody_in_by_itself(self) -> Self:
        if self.environment == "production" and self.development_key is not None:
            raise ValueError("development_key lets anybody in and is refused in production")
        return self

    @property
    def urls(self) -> dict[str, str]:
        """Base URLs of the other services."""
        return {
            "intake": self.intake_url,
            "care_plan": self.care_plan_url,
            "scheduler": self.scheduler_url,
            "alerts": self.alerts_url,
        }
