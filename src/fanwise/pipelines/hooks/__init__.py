"""Hooks: several models write opening lines for a post, and a judge scores every one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.lazy import lazily
from fanwise.pipelines import Pipeline

if TYPE_CHECKING:
    from fanwise.pipelines.hooks.criteria import CRITERIA, weights_of
    from fanwise.pipelines.hooks.execution import execute, hooks, hooks_of_many, plan
    from fanwise.pipelines.hooks.heuristics import heuristic_score
    from fanwise.pipelines.hooks.job import HooksJob
    from fanwise.pipelines.hooks.records import (
        Comparison,
        FailedModel,
        HeuristicScore,
        HooksResult,
        Judgement,
        ModelResult,
        ScoredHook,
    )

PIPELINE = Pipeline(
    name="hooks",
    summary="Opening lines for a post by several models at once, scored by a judge",
    module="fanwise.pipelines.hooks",
    sample="sample/ideas.jsonl",
    rules={
        "hooks_written": "fanwise.pipelines.hooks.rules:written_by_rules",
        "hook_judgement": "fanwise.pipelines.hooks.judging_rules:judged_by_rules",
        "hook_judgement_check": "fanwise.pipelines.hooks.judging_rules:checked_by_rules",
        "hook_comparison": "fanwise.pipelines.hooks.judging_rules:compared_by_rules",
    },
    job="fanwise.pipelines.hooks.job:HooksJob",
    execute="fanwise.pipelines.hooks.execution:execute",
    plan="fanwise.pipelines.hooks.execution:plan",
    form="fanwise.pipelines.hooks.form:FIELDS",
)

_HOMES = {
    "CRITERIA": "criteria",
    "Comparison": "records",
    "FailedModel": "records",
    "HeuristicScore": "records",
    "HooksJob": "job",
    "HooksResult": "records",
    "Judgement": "records",
    "ModelResult": "records",
    "ScoredHook": "records",
    "execute": "execution",
    "heuristic_score": "heuristics",
    "hooks": "execution",
    "hooks_of_many": "execution",
    "plan": "execution",
    "weights_of": "criteria",
}

__all__ = [
    "CRITERIA",
    "PIPELINE",
    "Comparison",
    "FailedModel",
    "HeuristicScore",
    "HooksJob",
    "HooksResult",
    "Judgement",
    "ModelResult",
    "ScoredHook",
    "execute",
    "heuristic_score",
    "hooks",
    "hooks_of_many",
    "plan",
    "weights_of",
]

__getattr__ = lazily(__name__, _HOMES)
