"""What is graded and what a grade is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import fanwise as fw

Json = Any
Kind = Literal["multiple_choice", "short_answer", "numeric", "problem_solving"]
KINDS: Final = ("multiple_choice", "short_answer", "numeric", "problem_solving")
BY_RULE: Final = "rule"
"""Who has graded where no model was asked."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, and what answers to it are held against.

    Args:
        text: The question.
        kind: ``multiple_choice`` and ``numeric`` are graded by rule, ``short_answer`` and
            ``problem_solving`` by a model.
        expected: The right answer: an option's letter or text, a quantity or a worked solution,
            a reference in words.
        options: Of multiple choice, in order; the first is A.
        rubric: What earns credit, for whoever grades.
        tolerance: How far off a number may be: ``0.5``, or ``2%`` of what is expected.
    """

    text: str
    kind: Kind = "short_answer"
    expected: str = ""
    options: Sequence[str] = ()
    rubric: str = ""
    tolerance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One answer to be graded.

    Args:
        id: Its id: unique, and the same whenever the same work is begun again.
        question: What was asked.
        answer: What was answered.
        index: Its place among the answers.
        history: Of earlier answers to the question, the share that was right; ``None`` where
            there was none.
        label: What somebody else has said of it; never shown to whoever grades.
    """

    id: str
    question: Question
    answer: str
    index: int = 0
    history: float | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What an answer is worth, or that nobody knows.

    Args:
        status: ``graded``; or ``ungraded`` where grading failed, which says nothing of the answer.
        is_correct: Whether it is right; ``None`` where ungraded.
        score: 0 to 1, partial credit included; ``None`` where ungraded.
        feedback: For the learner; where ungraded, why.
        suggested_rating: 1 Again, 2 Hard, 3 Good, 4 Easy; ``None`` where ungraded.
        graded_by: ``rule``, or the model.
        missing: What a full answer would have had besides.
        instructs_grader: Whether the answer tries to tell the grader what to do.
        remembered: Whether an equal answer to the same question had this grade before.
        error: The code of what went wrong; empty where graded.
    """

    status: Literal["graded", "ungraded"] = "graded"
    is_correct: bool | None = None
    score: float | None = None
    feedback: str = ""
    suggested_rating: int | None = None
    graded_by: str = BY_RULE
    missing: Sequence[str] = ()
    instructs_grader: bool = False
    remembered: bool = False
    error: str = ""

    @property
    def graded(self) -> bool:
        """Whether it is a grade at all."""
        return self.status == "graded"

    def as_json(self) -> dict[str, Json]:
        """The grade as plain JSON."""
        return {
            "status": self.status,
            "is_correct": self.is_correct,
            "score": self.score,
            "feedback": self.feedback,
            "suggested_rating": self.suggested_rating,
            "graded_by": self.graded_by,
            "missing": list(self.missing),
            "instructs_grader": self.instructs_grader,
            "remembered": self.remembered,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, fields_: Mapping[str, Any]) -> Grade:
        """What :meth:`as_json` was made of."""
        known = {one.name for one in fields(cls)}
        kept: dict[str, Any] = {name: value for name, value in fields_.items() if name in known}
        kept["missing"] = tuple(kept.get("missing", ()))
        return cls(**kept)


def grade_of(value: object) -> Grade:
    """The grade that an outcome holds: itself, or what a resumed run has kept of it."""
    if isinstance(value, Grade):
        return value
    return Grade.from_json(cast("Mapping[str, Any]", value))


def ungraded(error: BaseException | None, *, by: str = "") -> Grade:
    """That an answer could not be graded, and why."""
    if isinstance(error, fw.errors.FanwiseError):
        code, message = error.code, error.message
    else:
        code, message = "bug", type(error).__name__
    return Grade(
        status="ungraded",
        feedback=f"This answer has not been graded: {message}"[:500],
        graded_by=by,
        error=code,
    )


def rating_for(score: float, *, is_correct: bool, suggested: int | None = None) -> int:
    """How well something was known: 1 Again, 2 Hard, 3 Good, 4 Easy.

    A wrong answer is Again, or Hard where it earned half of the credit. A right one is Good, or
    Hard below 0.85; a model's own suggestion is taken among 2, 3 and 4.
    """
    if not is_correct:
        return 2 if score >= 0.5 else 1
    if suggested is not None:
        return min(4, max(2, suggested))
    return 3 if score >= 0.85 else 2
