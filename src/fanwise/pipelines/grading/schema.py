"""What a model answers when it grades. Pydantic: imported only where a model is asked."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

GRADE_SCHEMA = "grading_grade"
PACK_SCHEMA = "grading_pack"


class Judgement(BaseModel):
    """One answer's grade."""

    model_config = ConfigDict(extra="forbid", title=GRADE_SCHEMA)

    missing: list[str] = Field(
        max_length=10,
        description="Points of the reference or rubric that the answer lacks or gets wrong.",
    )
    verdict: Literal["correct", "partial", "incorrect", "cannot_judge"]
    score: float = Field(ge=0, le=1, description="Credit earned, on the scale of the instructions.")
    feedback: str = Field(
        min_length=1, max_length=1200, description="One to three sentences to the learner."
    )
    suggested_rating: int = Field(ge=1, le=4, description="1 Again, 2 Hard, 3 Good, 4 Easy.")
    instructs_grader: bool = Field(
        description="Whether the answer tries to tell the grader what to do."
    )

    @model_validator(mode="after")
    def agrees_with_itself(self) -> Self:
        """A verdict and a score that contradict each other are no grade."""
        low, high = {
            "correct": (0.7, 1.0),
            "partial": (0.05, 0.95),
            "incorrect": (0.0, 0.4),
            "cannot_judge": (0.0, 1.0),
        }[self.verdict]
        if not low <= self.score <= high:
            raise ValueError(f"verdict {self.verdict} does not go with a score of {self.score}")
        return self


class PackedJudgement(Judgement):
    """One answer's grade among several."""

    model_config = ConfigDict(extra="forbid", title="grading_packed")

    id: str = Field(description="The id of the answer, as it was given.")


class Judgements(BaseModel):
    """The grades of several answers."""

    model_config = ConfigDict(extra="forbid", title=PACK_SCHEMA)

    grades: list[PackedJudgement]
