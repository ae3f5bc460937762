"""What people are asked for: a table of answers and how they are graded."""

from __future__ import annotations

from dataclasses import fields

from fanwise.pipelines import MODEL_PARAMETERS, Field
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.grading.job import MODES, Columns

_HELP = {
    "question": "What was asked.",
    "expected": "What is right; not needed where there is a rubric.",
    "answer": "What was answered.",
    "kind": "multiple_choice, short_answer, numeric or problem_solving; may be missing.",
    "label": "Somebody else's judgement, to compare with.",
}

FIELDS = (
    Field(
        name="source",
        label="Table of answers",
        kind="file",
        required=True,
        accept=".csv,.jsonl,.ndjson,.json,.parquet",
        help="Each row has a question, what is right and what was answered.",
    ),
    Field(
        name="model",
        label="Model",
        kind="model",
        default=RULES_MODEL,
        help="Asked about answers that no rule can grade, as provider/model.",
    ),
    Field(
        name="processing_mode",
        label="How",
        kind="choice",
        choices=MODES,
        default="auto",
        help="Several answers in a request (batch), each in its own (parallel), one by one.",
    ),
    Field(name="limit", label="Most rows", kind="number", help="All where it is empty."),
    *(
        Field(
            name=f"columns.{one.name}",
            label=f"Column: {one.name}",
            default=str(one.default),
            extra=True,
            help=_HELP.get(one.name, ""),
        )
        for one in fields(Columns)
    ),
    Field(
        name="pack_size",
        label="Answers in a packed request",
        kind="number",
        default=10,
        extra=True,
        help="At most so many; 2 to 50.",
    ),
    Field(
        name="max_concurrent_tasks",
        label="Calls at once",
        kind="number",
        extra=True,
        help="1 to 10; as many as the limits allow where it is empty.",
    ),
    Field(
        name="easiest_first",
        label="Easy questions first",
        kind="bool",
        default=False,
        extra=True,
        help="By the column success_rate: the share of earlier answers that were right.",
    ),
    Field(
        name="reuse",
        label="Grades of equal answers count again",
        kind="bool",
        default=True,
        extra=True,
    ),
    MODEL_PARAMETERS,
)
