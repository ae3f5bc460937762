"""Answers graded: by rule where a rule can tell, by a model where not; cards and their schedule."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fanwise.pipelines import Pipeline

if TYPE_CHECKING:
    from fanwise.pipelines.grading.execute import execute, grade, plan
    from fanwise.pipelines.grading.job import Columns, GradingJob
    from fanwise.pipelines.grading.marking import mark
    from fanwise.pipelines.grading.normal import answer_key
    from fanwise.pipelines.grading.records import Grade, Question, Task
    from fanwise.pipelines.grading.result import GradingResult, Metrics, Result

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
    execute="fanwise.pipelines.grading.execute:execute",
)

_HOMES = {
    "Columns": "job",
    "Grade": "records",
    "GradingJob": "job",
    "GradingResult": "result",
    "Metrics": "result",
    "Question": "records",
    "Result": "result",
    "Task": "records",
    "answer_key": "normal",
    "execute": "execute",
    "grade": "execute",
    "mark": "marking",
    "plan": "execute",
}

__all__ = [
    "PIPELINE",
    "Columns",
    "Grade",
    "GradingJob",
    "GradingResult",
    "Metrics",
    "Question",
    "Result",
    "Task",
    "answer_key",
    "execute",
    "grade",
    "mark",
    "plan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
