"""Answers graded: by rule where a rule can tell, by a model where not; cards and their schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.lazy import lazily
from fanwise.pipelines import Pipeline

if TYPE_CHECKING:
    from fanwise.pipelines.grading.cards import Card, import_cards, open_store
    from fanwise.pipelines.grading.execution import execute, grade, plan
    from fanwise.pipelines.grading.job import Columns, GradingJob
    from fanwise.pipelines.grading.marking import mark
    from fanwise.pipelines.grading.normal import answer_key
    from fanwise.pipelines.grading.records import Grade, Question, Task
    from fanwise.pipelines.grading.result import GradingResult, Metrics, Result
    from fanwise.pipelines.grading.sessions import NotFound, due_cards, session_state, start_session
    from fanwise.pipelines.grading.submission import Answered, Submission, submit

PIPELINE = Pipeline(
    name="grade",
    summary="Answers graded against references, and cards reviewed when they are due",
    module="fanwise.pipelines.grading",
    sample="sample/answers.jsonl",
    rules={
        "grading_grade": "fanwise.pipelines.grading.rules:rules",
        "grading_pack": "fanwise.pipelines.grading.rules:rules",
    },
    job="fanwise.pipelines.grading.job:GradingJob",
    execute="fanwise.pipelines.grading.execution:execute",
    files=("source",),
    plan="fanwise.pipelines.grading.execution:plan",
    form="fanwise.pipelines.grading.form:FIELDS",
)

REVIEW = Pipeline(
    name="review",
    summary="Answers to the questions of a card, graded within a review session",
    module="fanwise.pipelines.grading",
    job="fanwise.pipelines.grading.review:ReviewJob",
    execute="fanwise.pipelines.grading.review:execute",
)
"""What a service grades submitted answers with."""

_HOMES = {
    "Answered": "submission",
    "Card": "cards",
    "Columns": "job",
    "Grade": "records",
    "GradingJob": "job",
    "GradingResult": "result",
    "Metrics": "result",
    "NotFound": "sessions",
    "Question": "records",
    "Result": "result",
    "Submission": "submission",
    "Task": "records",
    "answer_key": "normal",
    "due_cards": "sessions",
    "execute": "execution",
    "grade": "execution",
    "import_cards": "cards",
    "mark": "marking",
    "open_store": "cards",
    "plan": "execution",
    "session_state": "sessions",
    "start_session": "sessions",
    "submit": "submission",
}

__all__ = [
    "PIPELINE",
    "REVIEW",
    "Answered",
    "Card",
    "Columns",
    "Grade",
    "GradingJob",
    "GradingResult",
    "Metrics",
    "NotFound",
    "Question",
    "Result",
    "Submission",
    "Task",
    "answer_key",
    "due_cards",
    "execute",
    "grade",
    "import_cards",
    "mark",
    "open_store",
    "plan",
    "session_state",
    "start_session",
    "submit",
]

__getattr__ = lazily(__name__, _HOMES)
