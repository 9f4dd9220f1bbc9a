"""All answers for one referral, merged as they arrive."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from services.intake.domain.cssrs import Cssrs
from services.intake.domain.measures import GAD7, PHQ9, Answer, Answers, Score, merged, score, unanswered


class Screening(BaseModel):
    """PHQ-9 (nine items and the unsummed tenth, difficulty), GAD-7 (seven items) and C-SSRS."""

    model_config = ConfigDict(frozen=True)

    phq9: Answers = unanswered(PHQ9)
    difficulty: Answer = None
    gad7: Answers = unanswered(GAD7)
    cssrs: Cssrs = Cssrs()

    @property
    def phq9_score(self) -> Score:
        return score(PHQ9, self.phq9)

    @property
    def gad7_score(self) -> Score:
        return score(GAD7, self.gad7)

    @property
    def item9(self) -> Answer:
        return self.phq9[8]

    @property
    def started(self) -> bool:
        return self != Screening()

    def merged(self, given: Self) -> Self:
        return self.model_copy(
            update={
                "phq9": merged(self.phq9, given.phq9),
                "difficulty": self.difficulty if given.difficulty is None else given.difficulty,
                "gad7": merged(self.gad7, given.gad7),
                "cssrs": self.cssrs.merged(given.cssrs),
            }
        )
