"""What the hooks pipeline comes to: hooks, scores, rankings, as plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any, Literal, cast

import fanwise as fw


@dataclass(frozen=True, slots=True, kw_only=True)
class HeuristicScore:
    """A hook's score by form and word choice alone; each part from 0 to 10, ``None`` if unknown."""

    length: float
    readability: float | None
    emotion: float
    attention: float
    relevance: float
    overall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion of a judgement.

    Args:
        score: From 1 to 10; the mean, where it was judged several times.
        reason: The judge's words, of the first judgement.
        confidence: From 0 to 1.
    """

    score: float
    reason: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a judgement by the validator."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the judge said of a hook.

    Args:
        model: Who judged.
        overall: The weighted mean of the scores, computed from them.
        confidence: The weighted mean of the confidences, lowered by a fifth for each failed check.
        criteria: By name.
        samples: How often it was judged.
        spread: Standard deviation of the overall score over the samples; ``None`` for one.
        checks: What the validator found; ``None`` where none was asked or none answered.
        check_error: Why a validator that was asked has not answered.
    """

    model: str
    overall: float
    confidence: float
    criteria: Mapping[str, Criterion]
    samples: int = 1
    spread: float | None = None
    checks: Mapping[str, Check] | None = None
    check_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredHook:
    """One hook.

    Args:
        text: The hook.
        technique, rationale: As its writer gave them; ``unknown`` and empty where it gave none.
        words: How many words it has.
        in_bounds: Whether these are 6 to 12.
        heuristics: Its score by form alone.
        judgement: The judge's; ``None`` where judging failed: the hook is then unscored.
        unscored: Why, where it is.
        desktop_cut, mobile_cut: Where a feed would cut it (about 210 and 140 characters), what
            would be left; ``None`` where all of it is seen.
    """

    text: str
    technique: str
    rationale: str
    words: int
    in_bounds: bool
    heuristics: HeuristicScore
    judgement: Judgement | None = None
    unscored: str | None = None
    desktop_cut: str | None = None
    mobile_cut: str | None = None

    @property
    def score(self) -> float | None:
        """The judge's overall score; ``None`` where it is unscored."""
        return None if self.judgement is None else self.judgement.overall


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """A criterion in which a model's hooks stand out.

    Args:
        criterion: Its name.
        score: The mean over the model's scored hooks.
        example: The hook in which it shows most.
        reason: What the judge said of that one.
    """

    criterion: str
    score: float
    example: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """What one model came to.

    Args:
        model: The model.
        hooks: Its hooks, best first; unscored ones last.
        score: The mean of its scored hooks; ``None`` where none is scored.
        heuristic: The mean of the heuristic scores.
        scored: How many hooks are scored.
        strengths, weaknesses: Criteria well above and below its other ones.
        salvaged: Whether its answer was no JSON of the right shape and was read another way.
        same_family: Whether the judge is of the same family, and may favour its own.
        write_s, wall_s: Seconds until its hooks were there, and until they were judged: wall time,
            of this session (answers out of the journal take none).
        write_usage, judge_usage: Tokens of the answers that counted.
        write_cost_usd: What the hooks cost; ``None`` where a price is unknown.
        cost_usd: Everything for this model, failed attempts and judging included.
    """

    model: str
    hooks: Sequence[ScoredHook]
    score: float | None
    heuristic: float
    scored: int
    strengths: Sequence[Trait] = ()
    weaknesses: Sequence[Trait] = ()
    salvaged: bool = False
    same_family: bool = False
    write_s: float = 0.0
    wall_s: float = 0.0
    write_usage: fw.types.Usage
    judge_usage: fw.types.Usage
    write_cost_usd: Decimal | None = None
    cost_usd: Decimal | None = None

    @property
    def troubles(self) -> list[str]:
        """What of the judging failed, one line each; a retry asks for it again."""
        unscored = [f"unscored: {hook.unscored}" for hook in self.hooks if hook.unscored]
        judged = [hook.judgement for hook in self.hooks if hook.judgement is not None]
        return unscored + [f"unchecked: {one.check_error}" for one in judged if one.check_error]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedModel:
    """A model without hooks, and why."""

    model: str
    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The best hooks of two models, compared in both orders.

    Args:
        models: The two.
        hooks: Theirs.
        winner: The model that won in both orders; ``None`` for a tie.
        consistent: Whether both orders came to the same; ``None`` where the comparison failed.
        reasons: The judge's words, in either order.
        error: Why it failed, where it did.
    """

    models: tuple[str, str]
    hooks: tuple[str, str]
    winner: str | None = None
    consistent: bool | None = None
    reasons: Sequence[str] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate:
    """Two hooks that say nearly the same.

    Args:
        models: Whose they are; twice the same one where a model repeats itself.
        hooks: The two.
        similarity: From 0 to 1.
    """

    models: tuple[str, str]
    hooks: tuple[str, str]
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A model's place.

    Args:
        place: From 1; models with equal scores share one.
        model: The model.
        score: The mean of its scored hooks.
        heuristic: The mean heuristic score.
        wins: Comparisons won; ``None`` where there were none.
    """

    place: int
    model: str
    score: float
    heuristic: float
    wins: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksResult:
    """What a job came to.

    Args:
        id: The idea's id, where several were asked about in one run.
        run_id: The run.
        status: ``success``; ``partial`` where something failed or is missing; ``error`` where no
            model wrote hooks.
        complete: Whether every model has ended; where not, the run can be resumed.
        judge, validator: Who judged and who checked.
        weights: Of the criteria.
        models: Those that wrote, in the order of the ranking; unranked ones last.
        failed: Those that did not, with reasons, in the order of the job.
        ranking: Models by score. Unscored models have no place.
        winner: The first of the ranking; ``None`` where the first place is shared, nobody ranks, or
            the job is not complete.
        gap: Points between first and second; ``None`` where there are no two.
        gap_error: The gap's standard error, from how far the hooks of each differ; ``None`` where
            one of them has fewer than two scored hooks.
        comparisons: Of the best hooks, where they were asked for.
        near_duplicates: Pairs of hooks that say nearly the same.
        wall_s: Wall time of this session.
        cost_usd: Everything; ``None`` where a price is unknown.
    """

    id: str
    run_id: str
    status: Literal["success", "partial", "error"]
    complete: bool
    judge: str
    validator: str | None
    weights: Mapping[str, float]
    models: Sequence[ModelResult]
    failed: Sequence[FailedModel]
    ranking: Sequence[Ranked]
    winner: str | None
    gap: float | None
    gap_error: float | None
    comparisons: Sequence[Comparison]
    near_duplicates: Sequence[NearDuplicate]
    wall_s: float
    cost_usd: Decimal | None

    @property
    def best(self) -> Sequence[tuple[str, ScoredHook]]:
        """All hooks with their models, best first by the judge, then by form; unscored last."""
        found = [(model.model, hook) for model in self.models for hook in model.hooks]
        return sorted(found, key=lambda pair: order_of(pair[1]))

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return cast("dict[str, Any]", plain(self))


class PartlyJudged(fw.errors.FanwiseError):
    """A model has written, but not all of the judging succeeded: its item counts as failed, so that
    a retry of the run asks for what is missing, and only for that.

    Args:
        result: What there is.
    """

    code = "partly_judged"

    def __init__(self, result: ModelResult) -> None:
        troubles = result.troubles
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        super().__init__(
            f"{result.model} has written, but its hooks are not all judged: {troubles[0]}{more}",
            hint="`fanwise retry` asks the judge again for what is missing",
        )
        self.result = result


def order_of(hook: ScoredHook) -> tuple[bool, float, float, str]:
    """By what hooks are ordered: scored ones first, best first."""
    score = hook.score
    return (score is None, -(score or 0.0), -hook.heuristics.overall, hook.text)


def plain(value: Any) -> Any:
    """Records as plain JSON; money becomes a number."""
    if isinstance(value, Decimal):
        return float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in cast("Sequence[Any]", value)]
    return value
