"""Resumes tailored to a job: scored, changed line by line, and never beyond what they state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.lazy import lazily
from fanwise.pipelines import Pipeline

if TYPE_CHECKING:
    from fanwise.pipelines.tailoring.ats import AtsScore, score
    from fanwise.pipelines.tailoring.changes import applied
    from fanwise.pipelines.tailoring.drafts import Draft, Drafts
    from fanwise.pipelines.tailoring.execute import in_one_line, plan, tailor, warm
    from fanwise.pipelines.tailoring.job import ResumeInput, TailorJob
    from fanwise.pipelines.tailoring.output import as_docx, as_markdown, as_text
    from fanwise.pipelines.tailoring.parse import parse_resume
    from fanwise.pipelines.tailoring.posting import Posting, read_posting
    from fanwise.pipelines.tailoring.records import Change, Resume
    from fanwise.pipelines.tailoring.result import Tailored, TailorResult

PIPELINE = Pipeline(
    name="tailor",
    summary="Resumes tailored to a job, and how well they answer it",
    module="fanwise.pipelines.tailoring",
    sample="sample",
    rules={
        "tailoring_analysis": "fanwise.pipelines.tailoring.rules:analysis_rules",
        "tailoring_changes": "fanwise.pipelines.tailoring.rules:tailor_rules",
    },
    job="fanwise.pipelines.tailoring.job:TailorJob",
    execute="fanwise.pipelines.tailoring.execute:execute",
    plan="fanwise.pipelines.tailoring.execute:plan",
    form="fanwise.pipelines.tailoring.form:FIELDS",
    graph="fanwise.pipelines.tailoring.picture:graph_of",
)

_HOMES = {
    "AtsScore": "ats",
    "Change": "records",
    "Draft": "drafts",
    "Drafts": "drafts",
    "Posting": "posting",
    "Resume": "records",
    "ResumeInput": "job",
    "TailorJob": "job",
    "TailorResult": "result",
    "Tailored": "result",
    "applied": "changes",
    "as_docx": "output",
    "as_markdown": "output",
    "as_text": "output",
    "in_one_line": "execute",
    "parse_resume": "parse",
    "plan": "execute",
    "read_posting": "posting",
    "score": "ats",
    "tailor": "execute",
    "warm": "execute",
}

__all__ = [
    "PIPELINE",
    "AtsScore",
    "Change",
    "Draft",
    "Drafts",
    "Posting",
    "Resume",
    "ResumeInput",
    "TailorJob",
    "TailorResult",
    "Tailored",
    "applied",
    "as_docx",
    "as_markdown",
    "as_text",
    "in_one_line",
    "parse_resume",
    "plan",
    "read_posting",
    "score",
    "tailor",
    "warm",
]

__getattr__ = lazily(__name__, _HOMES)
