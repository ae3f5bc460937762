"""What is known of one job while its models write and are judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING

import fanwise as fw
from fanwise.pipelines.hooks import scoring
from fanwise.pipelines.hooks.criteria import weights_of
from fanwise.pipelines.hooks.job import HooksJob
from fanwise.pipelines.hooks.records import (
    Comparison,
    FailedModel,
    HooksResult,
    ModelResult,
    PartlyJudged,
    plain,
)
from fanwise.pipelines.hooks.telling import Teller
from fanwise.pipelines.hooks.work import Contest, Pairing, reason_of

if TYPE_CHECKING:
    from fanwise.pipelines import OnEvent


class Board:
    """One job's models, as they end.

    Args:
        idea: The idea's id.
        job: The job.
        on_event: Who looks on.
        told_as: What its messages begin with; empty for a job on its own.
    """

    def __init__(
        self, idea: str, job: HooksJob, on_event: OnEvent | None, *, told_as: str = ""
    ) -> None:
        self.idea = idea
        self.job = job
        self._teller = Teller(job.models, on_event, subject=told_as)
        self._models: dict[str, ModelResult] = {}
        self._failed: dict[str, FailedModel] = {}
        self._comparisons: dict[tuple[str, str], Comparison] = {}
        self._pairs = 0
        self._begun = False
        self._costs: list[Decimal | None] = []

    async def begin(self) -> None:
        """Says that the job has begun, once."""
        if self._begun:
            return
        self._begun = True
        count = len(self.job.models)
        begins = "1 model begins" if count == 1 else f"{count} models begin"
        await self._teller.tell("progress", f"{begins} to write")

    def contests(self) -> Iterator[Contest]:
        """An item for each model."""
        for model in self.job.models:
            yield Contest(idea=self.idea, job=self.job, model=model, teller=self._teller)

    @property
    def written(self) -> bool:
        """Whether every model has ended."""
        return len(self._models) + len(self._failed) == len(self.job.models)

    @property
    def rivals(self) -> Mapping[str, str]:
        """The best hook of each model that has a scored one, in the order of the job."""
        scored = [self._models[name] for name in self.job.models if name in self._models]
        return {one.model: one.hooks[0].text for one in scored if one.score is not None}

    def pairings(self) -> Iterator[Pairing]:
        """An item for each pair of models whose best hooks differ."""
        yield from self.pairings_of(self.rivals)

    def pairings_of(self, best: Mapping[str, str]) -> Iterator[Pairing]:
        """An item for each pair of these hooks."""
        for one, other in combinations(best, 2):
            self._pairs += 1
            yield Pairing(
                idea=self.idea,
                job=self.job,
                models=(one, other),
                hooks=(best[one], best[other]),
                teller=self._teller,
            )

    async def took(self, outcome: fw.Outcome) -> None:
        """Takes in how an item ended, and tells of it.

        Raises:
            Exception: What an observer of this job has raised.
        """
        self._costs.append(outcome.cost_usd)
        if isinstance(outcome.item, Pairing):
            await self._compared(outcome)
        else:
            await self._ended(outcome)
        if self._teller.fault is not None:
            raise self._teller.fault

    async def _ended(self, outcome: fw.Outcome) -> None:
        model: str = outcome.item.model
        error = outcome.error
        result = outcome.value
        if isinstance(error, PartlyJudged):
            result = error.result
        self._teller.reach(model, 1.0)
        if result is None:
            self._failed[model] = FailedModel(
                model=model,
                kind=getattr(error, "code", type(error).__name__),
                message=getattr(error, "message", str(error)),
                hint=getattr(error, "hint", ""),
            )
            await self._teller.tell(
                "error",
                f"{model} failed: {reason_of(error) if error else 'unknown'}",
                model=model,
                data=plain(self._failed[model]),
            )
            return
        result = self._models[model] = replace(result, cost_usd=outcome.cost_usd)
        score = "unscored" if result.score is None else f"{result.score:.2f}"
        few = "" if result.scored == len(result.hooks) else f", {result.scored} of 5 scored"
        await self._teller.tell("result", f"{model}: {score}{few}", model=model, data=plain(result))

    async def _compared(self, outcome: fw.Outcome) -> None:
        pair: Pairing = outcome.item
        found: Comparison | None = outcome.value
        if found is None:
            why = reason_of(outcome.error) if outcome.error else "unknown"
            found = Comparison(models=pair.models, hooks=pair.hooks, error=why)
        self._comparisons[pair.models] = found
        done = len(self._comparisons)
        self._teller.analysed(done / max(1, self._pairs))
        if found.error is not None:
            said = f"failed: {found.error}"
        else:
            said = f"{found.winner} wins" if found.winner else "a tie"
        await self._teller.tell("progress", f"{' against '.join(pair.models)}: {said}")

    async def result(self, *, run_id: str, wall_s: float) -> HooksResult:
        """What it came to, and the last events; an interrupted job has no winner."""
        compared = not self._pairs or len(self._comparisons) == self._pairs
        complete = self.written and compared
        found = self._summed_up(run_id=run_id, wall_s=wall_s, complete=complete)
        if complete:
            self._teller.analysed(1.0)
        ended = f"{len(found.models)} of {len(self.job.models)} models have written"
        if not complete:
            await self._teller.tell("progress", f"Not complete: {ended} and are judged")
        else:
            said = f"{found.winner} is ahead" if found.winner else "no model is ahead"
            await self._teller.tell("progress", f"Ranked: {said}")
            await self._teller.tell(
                "complete", f"{ended}, {said}", data=found.as_json(), percent=100.0
            )
        if self._teller.fault is not None:
            raise self._teller.fault
        return found

    def _summed_up(self, *, run_id: str, wall_s: float, complete: bool) -> HooksResult:
        job = self.job
        models = list(self._models.values())
        failed = [self._failed[name] for name in job.models if name in self._failed]
        comparisons = [self._comparisons[pair] for pair in sorted(self._comparisons)]
        ranking = scoring.ranking_of(models, comparisons)
        places = {ranked.model: number for number, ranked in enumerate(ranking)}
        models.sort(key=lambda one: (places.get(one.model, len(places)), one.model))
        gap, gap_error = scoring.gap_of(ranking, models)
        alone = bool(ranking) and (len(ranking) == 1 or ranking[1].place > 1)
        return HooksResult(
            id=self.idea,
            run_id=run_id,
            status=scoring.status_of(models, failed, comparisons, complete=complete),
            complete=complete,
            judge=job.judge,
            validator=job.validator,
            weights={name: float(one) for name, one in weights_of(job.focus_skills).items()},
            models=models,
            failed=failed,
            ranking=ranking,
            winner=ranking[0].model if alone and complete else None,
            gap=gap,
            gap_error=gap_error,
            comparisons=comparisons,
            near_duplicates=scoring.near_duplicates(models),
            wall_s=round(wall_s, 3),
            cost_usd=scoring.summed(self._costs),
        )
