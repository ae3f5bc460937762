"""Any table, any prompts, any models; and OpenAI Batch files as they are."""

from __future__ import annotations

from fanwise.pipelines import Pipeline

PIPELINE = Pipeline(
    name="prompts",
    summary="Any table with any prompts for any models; Batch lines as they are",
    module="fanwise.pipelines.prompts",
    job="fanwise.pipelines.prompts.table:TableJob",
    execute="fanwise.pipelines.prompts.table:execute",
    files=("file",),
    plan="fanwise.pipelines.prompts.table:plan",
    form="fanwise.pipelines.prompts.form:FIELDS",
)

__all__ = ["PIPELINE"]
