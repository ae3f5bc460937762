"""From judgements to scores, rankings and findings. Pure: nothing here asks a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from statistics import fmean, stdev, variance
from typing import TYPE_CHECKING, Literal

from fanwise.pipelines.hooks.criteria import CRITERIA, overall_of
from fanwise.pipelines.hooks.records import (
    Check,
    Comparison,
    Criterion,
    FailedModel,
    Judgement,
    ModelResult,
    NearDuplicate,
    Ranked,
    ScoredHook,
    Trait,
)

if TYPE_CHECKING:
    from fanwise.pipelines.hooks.schema import HookJudgement, JudgementCheck

DESKTOP_CHARS = 210
MOBILE_CHARS = 140
ALIKE = 0.85
_FAILED_CHECK = 0.8
_STANDS_OUT = 0.5
_MOST_TRAITS = 2


def judgement_of(
    samples: Sequence[HookJudgement],
    *,
    model: str,
    weights: Mapping[str, Fraction],
    check: JudgementCheck | None = None,
    check_error: str | None = None,
) -> Judgement:
    """A judgement out of its samples.

    Args:
        samples: What the judge answered, once or several times.
        model: The judge.
        weights: Of the criteria.
        check: What the validator answered about the first sample.
        check_error: Why it did not.
    """
    criteria: dict[str, Criterion] = {}
    for name in CRITERIA:
        parts = [getattr(sample, name) for sample in samples]
        criteria[name] = Criterion(
            score=round(fmean(part.score for part in parts), 2),
            reason=" ".join(parts[0].reason.split()),
            confidence=round(fmean(part.confidence for part in parts), 3),
        )
    totals = [overall_of(_scores(sample), weights) for sample in samples]
    checks = None if check is None else checks_of(check)
    confidence = overall_of({name: one.confidence for name, one in criteria.items()}, weights)
    failed = 0 if checks is None else sum(not one.passed for one in checks.values())
    return Judgement(
        model=model,
        overall=round(fmean(totals), 2),
        confidence=round(confidence * _FAILED_CHECK**failed, 2),
        criteria=criteria,
        samples=len(samples),
        spread=round(stdev(totals), 2) if len(totals) > 1 else None,
        checks=checks,
        check_error=check_error,
    )


def checks_of(check: JudgementCheck) -> dict[str, Check]:
    """The validator's checks by name."""
    return {
        name: Check(passed=part.passed, reason=" ".join(part.reason.split()))
        for name, part in (
            ("coherent", check.coherent),
            ("apt", check.apt),
            ("consistent", check.consistent),
        )
    }


def _scores(sample: HookJudgement) -> dict[str, float]:
    return {name: getattr(sample, name).score for name in CRITERIA}


def cut_at(text: str, most: int) -> str | None:
    """What a feed shows of a text that is longer than it shows; ``None`` where it fits."""
    if len(text) <= most:
        return None
    whole = text[: most - 1].rsplit(" ", 1)[0]
    return f"{whole.rstrip(' ,;:')}…"


def traits_of(hooks: Sequence[ScoredHook]) -> tuple[Sequence[Trait], Sequence[Trait]]:
    """Strengths and weaknesses: the criteria whose means lie at least half a point above or below
    the mean of all six, at most two of each. A model that is the same everywhere has neither.
    """
    judged = [(hook, hook.judgement) for hook in hooks if hook.judgement is not None]
    if not judged:
        return (), ()
    means = {name: fmean(j.criteria[name].score for _, j in judged) for name in CRITERIA}
    centre = fmean(means.values())

    def trait(name: str, sign: int) -> Trait:
        hook, judgement = max(judged, key=lambda pair: sign * pair[1].criteria[name].score)
        reason = judgement.criteria[name].reason
        return Trait(criterion=name, score=round(means[name], 2), example=hook.text, reason=reason)

    strong = sorted(
        (n for n in CRITERIA if means[n] >= centre + _STANDS_OUT), key=lambda n: -means[n]
    )
    weak = sorted((n for n in CRITERIA if means[n] <= centre - _STANDS_OUT), key=lambda n: means[n])
    return (
        [trait(name, 1) for name in strong[:_MOST_TRAITS]],
        [trait(name, -1) for name in weak[:_MOST_TRAITS]],
    )


def ranking_of(models: Sequence[ModelResult], comparisons: Sequence[Comparison]) -> list[Ranked]:
    """Models by the mean score of their scored hooks; those of equal score share a place.

    Among these the heuristic score and then the name decide who is shown first. Models without a
    scored hook are left out.
    """
    wins = {model.model: 0 for model in models}
    for comparison in comparisons:
        if comparison.winner is not None:
            wins[comparison.winner] += 1
    scored = [(model, model.score) for model in models if model.score is not None]
    scored.sort(key=lambda pair: (-pair[1], -pair[0].heuristic, pair[0].model))
    return [
        Ranked(
            place=1 + sum(other > score for _, other in scored),
            model=model.model,
            score=score,
            heuristic=model.heuristic,
            wins=wins[model.model] if comparisons else None,
        )
        for model, score in scored
    ]


def gap_of(
    ranking: Sequence[Ranked], models: Sequence[ModelResult]
) -> tuple[float | None, float | None]:
    """The points between the first two, and that difference's standard error.

    The error is Welch's, from how far the scores of each model's hooks differ: five hooks are a
    small sample of what a model writes.
    """
    if len(ranking) < 2:
        return None, None
    by_name = {model.model: model for model in models}
    parts: list[float] = []
    for ranked in ranking[:2]:
        scores = [h.score for h in by_name[ranked.model].hooks if h.score is not None]
        if len(scores) > 1:
            parts.append(variance(scores) / len(scores))
    error = round(math.sqrt(sum(parts)), 2) if len(parts) == 2 else None
    return round(ranking[0].score - ranking[1].score, 2), error


def near_duplicates(models: Sequence[ModelResult]) -> list[NearDuplicate]:
    """Pairs of hooks that say nearly the same, most alike first.

    Alike are hooks of a similarity from 0.85 on: of Levenshtein's and of the token-sorted ratio
    (rapidfuzz) the larger one, over texts without case and punctuation.
    """
    from rapidfuzz import fuzz, utils

    hooks = [(m.model, hook.text) for m in models for hook in m.hooks]
    found: list[NearDuplicate] = []
    for (one, text), (other, words) in combinations(hooks, 2):
        likeness = max(
            fuzz.ratio(text, words, processor=utils.default_process),
            fuzz.token_sort_ratio(text, words, processor=utils.default_process),
        )
        if likeness >= 100 * ALIKE:
            found.append(
                NearDuplicate(
                    models=(one, other), hooks=(text, words), similarity=round(likeness / 100, 3)
                )
            )
    return sorted(found, key=lambda pair: (-pair.similarity, pair.hooks, pair.models))


def comparison_of(
    models: tuple[str, str],
    hooks: tuple[str, str],
    verdicts: tuple[str, str],
    reasons: Sequence[str],
) -> Comparison:
    """A pair's outcome: who is better in both orders has won, all else is a tie.

    Args:
        models: The pair.
        hooks: Their hooks.
        verdicts: What was better (``first``, ``second``, ``tie``) in the given order, and with the
            two exchanged.
        reasons: The judge's words.
    """
    straight = {"first": models[0], "second": models[1]}.get(verdicts[0])
    swapped = {"first": models[1], "second": models[0]}.get(verdicts[1])
    return Comparison(
        models=models,
        hooks=hooks,
        winner=straight if straight == swapped else None,
        consistent=straight == swapped,
        reasons=tuple(reasons),
    )


def status_of(
    models: Sequence[ModelResult],
    failed: Sequence[FailedModel],
    comparisons: Sequence[Comparison],
    *,
    complete: bool,
) -> Literal["success", "partial", "error"]:
    """``error`` where nobody wrote, ``partial`` where anything failed or is missing."""
    if not models:
        return "error" if complete else "partial"
    troubled = any(model.troubles for model in models) or any(one.error for one in comparisons)
    return "partial" if failed or troubled or not complete else "success"


def summed(costs: Sequence[Decimal | None]) -> Decimal | None:
    """Costs added up; ``None`` where one is unknown."""
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total
