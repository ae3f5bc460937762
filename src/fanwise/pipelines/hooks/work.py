"""One model's hooks from writing to judgement, and one comparison: the items of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeVar

import fanwise as fw
from fanwise.pipelines.fields import canonical
from fanwise.pipelines.hooks import prompts, scoring
from fanwise.pipelines.hooks.criteria import weights_of
from fanwise.pipelines.hooks.family import same_family
from fanwise.pipelines.hooks.heuristics import heuristic_score, word_count
from fanwise.pipelines.hooks.job import HooksJob
from fanwise.pipelines.hooks.judging_rules import (
    checked_by_rules,
    compared_by_rules,
    judged_by_rules,
)
from fanwise.pipelines.hooks.records import (
    Comparison,
    Judgement,
    ModelResult,
    PartlyJudged,
    ScoredHook,
    order_of,
)
from fanwise.pipelines.hooks.rules import RULES_VERSION, written_by_rules
from fanwise.pipelines.hooks.telling import GENERATED, JUDGED, Teller, tells_of

if TYPE_CHECKING:
    from fanwise.pipelines.hooks.schema import HookJudgement, JudgementCheck, WrittenHook

T = TypeVar("T")
_BY_RULES = ("builtin/", "sim/")
_FAILURES = (fw.errors.CallError, fw.errors.PermitTimeout)
"""What a call may fail with alone; all else ends the item or the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One model that writes for one job."""

    idea: str
    job: HooksJob
    model: str
    teller: Teller


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Two models' best hooks for one job."""

    idea: str
    job: HooksJob
    models: tuple[str, str]
    hooks: tuple[str, str]
    teller: Teller


def item_id(item: Contest | Pairing) -> str:
    """An item's id: the idea and the model, or the two models."""
    if isinstance(item, Contest):
        return f"{item.idea} {item.model}"
    return f"{item.idea} {item.models[0]} | {item.models[1]}"


def description(item: Contest | Pairing) -> dict[str, Any]:
    """What the journal keeps of an item."""
    if isinstance(item, Contest):
        return {"idea": item.idea, "model": item.model, **item.job.brief}
    return {"idea": item.idea, "models": list(item.models), "hooks": list(item.hooks)}


def model_of(item: Contest | Pairing) -> str:
    """The model an item stands for."""
    return item.model if isinstance(item, Contest) else item.job.judge


async def work(ctx: fw.Context, item: Contest | Pairing) -> ModelResult | Comparison:
    """One item: a model's hooks, written and judged, or a comparison.

    Raises:
        CallError: The model has written nothing that can be used, or a comparison failed.
        PartlyJudged: It has written, and not all of the judging succeeded.
    """
    if isinstance(item, Contest):
        return await _Entry(ctx, item).result()
    return await compare(ctx, item)


class _Entry:
    """One model's work under way."""

    def __init__(self, ctx: fw.Context, item: Contest) -> None:
        self._ctx = ctx
        self._job = item.job
        self._model = item.model
        self._teller = item.teller
        self._weights: Mapping[str, Fraction] = weights_of(item.job.focus_skills)
        self._judge_usage: list[fw.types.Usage] = []
        self._judged = 0

    async def result(self) -> ModelResult:
        """Writes, judges every hook at once, and sums up."""
        clock = asyncio.get_running_loop()
        started = clock.time()
        written = await self._ctx.respond(
            self._model,
            prompts.write_messages(self._job.brief),
            schema=_schemas().written_schema(),
            parameters=self._job.parameters,
            rules=written_by_rules,
            version=version_for(self._model, prompts.WRITE_VERSION),
            label="write",
        )
        write_s = clock.time() - started
        hooks: Sequence[WrittenHook] = written.value.hooks
        self._teller.reach(self._model, GENERATED)
        await self._teller.tell(
            "progress", f"{self._model} has written {len(hooks)} hooks", model=self._model
        )
        scored = await all_of([partial(self._scored, hook) for hook in hooks])
        strengths, weaknesses = scoring.traits_of(scored)
        scores = [hook.score for hook in scored if hook.score is not None]
        result = ModelResult(
            model=self._model,
            hooks=sorted(scored, key=order_of),
            score=round(fmean(scores), 2) if scores else None,
            heuristic=round(fmean(hook.heuristics.overall for hook in scored), 2),
            scored=len(scores),
            strengths=strengths,
            weaknesses=weaknesses,
            salvaged=all(hook.technique == "unknown" for hook in scored),
            same_family=same_family(self._model, self._job.judge),
            write_s=round(write_s, 3),
            wall_s=round(clock.time() - started, 3),
            write_usage=written.usage,
            judge_usage=sum(self._judge_usage, fw.types.Usage(input_tokens=0, output_tokens=0)),
            write_cost_usd=fw.types.Prices().cost_usd(self._model, written.usage),
        )
        if result.troubles:
            raise PartlyJudged(result)
        return result

    async def _scored(self, hook: WrittenHook) -> ScoredHook:
        """A hook with its scores; a failure of the judge leaves it unscored."""
        judgement: Judgement | None = None
        unscored: str | None = None
        try:
            judgement = await self._judgement(hook.text)
        except _FAILURES as error:
            unscored = reason_of(error)
        self._judged += 1
        total = 5
        self._teller.reach(self._model, GENERATED + (JUDGED - GENERATED) * self._judged / total)
        if tells_of(self._judged, total):
            await self._teller.tell(
                "progress",
                f"{self._job.judge} has judged {self._judged} of {total} hooks of {self._model}",
                model=self._model,
            )
        words = word_count(hook.text)
        brief = self._job.brief
        return ScoredHook(
            text=hook.text,
            technique=hook.technique,
            rationale=hook.rationale,
            words=words,
            in_bounds=prompts.LEAST_WORDS <= words <= prompts.MOST_WORDS,
            heuristics=heuristic_score(
                hook.text, idea=brief["post_idea"], industry=brief["industry"]
            ),
            judgement=judgement,
            unscored=unscored,
            desktop_cut=scoring.cut_at(hook.text, scoring.DESKTOP_CHARS),
            mobile_cut=scoring.cut_at(hook.text, scoring.MOBILE_CHARS),
        )

    async def _judgement(self, hook: str) -> Judgement:
        """The judge's answers about a hook, and the validator's about the first of them.

        Of several samples those that were served count; without any, the first failure is raised.
        """
        job = self._job
        tries = [partial(self._sample, hook, number) for number in range(job.repeats)]
        found = await all_of(tries)
        samples = [one for one in found if not isinstance(one, Exception)]
        if not samples:
            raise next(one for one in found if isinstance(one, Exception))
        check: JudgementCheck | None = None
        check_error: str | None = None
        if job.validator is not None:
            try:
                check = await self._check(hook, samples[0], validator=job.validator)
            except _FAILURES as error:
                check_error = reason_of(error)
        return scoring.judgement_of(
            samples, model=job.judge, weights=self._weights, check=check, check_error=check_error
        )

    async def _sample(self, hook: str, number: int) -> HookJudgement | Exception:
        judge = self._job.judge
        try:
            answer = await self._ctx.respond(
                judge,
                prompts.judge_messages(self._job.brief, hook),
                schema=_schemas().judgement_schema(),
                rules=judged_by_rules,
                version=version_for(judge, prompts.JUDGE_VERSION),
                sample=number,
                label="judge",
            )
        except _FAILURES as error:
            return error
        self._judge_usage.append(answer.usage)
        return answer.value

    async def _check(self, hook: str, sample: HookJudgement, *, validator: str) -> JudgementCheck:
        answer = await self._ctx.respond(
            validator,
            prompts.check_messages(self._job.brief, hook, sample.model_dump()),
            schema=_schemas().check_schema(),
            rules=checked_by_rules,
            version=version_for(validator, prompts.CHECK_VERSION),
            label="check",
        )
        self._judge_usage.append(answer.usage)
        return answer.value


async def compare(ctx: fw.Context, pairing: Pairing) -> Comparison:
    """Compares two hooks in both orders.

    Raises:
        CallError: One of the two calls failed; the comparison then says nothing.
    """
    judge = pairing.job.judge

    async def ask(hooks: Sequence[str]) -> Any:
        return await ctx.call(
            judge,
            prompts.compare_messages(pairing.job.brief, hooks),
            schema=_schemas().comparison_schema(),
            rules=compared_by_rules,
            version=version_for(judge, prompts.COMPARE_VERSION),
            label="compare",
        )

    first, second = pairing.hooks
    straight, swapped = await all_of([partial(ask, (first, second)), partial(ask, (second, first))])
    return scoring.comparison_of(
        pairing.models,
        pairing.hooks,
        (straight.better, swapped.better),
        (straight.reason, swapped.reason),
    )


async def all_of(operations: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What several operations return, in order; each runs to its own end.

    Where the run is drained or its budget used up, some may not be sent any more while others are
    in flight. Those are paid for: they end and are kept before the first failure is raised.
    """
    outcomes = await fw.settle(operations)
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [outcome.value for outcome in outcomes]


def version_for(model: str, prompt_version: str) -> str:
    """The version in a call's key: of the prompt, and of the rules where they answer."""
    by_rules = canonical(model).startswith(_BY_RULES)
    return f"{prompt_version}+{RULES_VERSION}" if by_rules else prompt_version


def reason_of(error: BaseException) -> str:
    """Why, in one line."""
    if isinstance(error, fw.errors.FanwiseError):
        return f"{error.code}: {error.message}"[:500]
    return f"{type(error).__name__}: {error}"[:500]


def _schemas() -> Any:
    """The schemas, which bring pydantic with them."""
    from fanwise.pipelines.hooks import schema

    return schema
