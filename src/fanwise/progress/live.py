"""The live account of a run: cheap to feed, whole whenever it is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fanwise.clock import Clock
from fanwise.progress.account import Account, AccountStatistics
from fanwise.progress.monitor import Monitor
from fanwise.progress.window import SlidingSum
from fanwise.progress.words import LimitFacts, what_limits
from fanwise.records import BudgetUse, CallRecord, Cause, Counters, ItemRecord, ItemState

_EMPTY = Counters()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSnapshot:
    """One model's calls of this session.

    ``open`` counts calls begun and not ended, the waiting ones among them.
    """

    model: str
    open: int
    served: int
    failed: int
    cached: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run at one instant, for people and for the page.

    Args:
        items_total: Items in all; ``None`` while the source has not ended.
        items_done: Items that have ended, earlier sessions included.
        items_succeeded, items_failed, items_cancelled, items_cached: How they ended;
            ``items_cached`` is part of ``items_succeeded``.
        items_in_progress: Items begun and not ended.
        in_flight: Calls sent and not yet answered, at the last sample.
        waiting: Calls that wait for a permit or for their backoff, at the last sample.
        concurrency_limit: Concurrency limit in force; ``math.inf`` where there is none.
        items_per_s, tokens_per_s: Over about the last ten seconds.
        cost_usd: Spent so far; ``None`` where the price of some call is unknown.
        priced_usd: The part of the cost that is known.
        unpriced_calls: Calls whose price is unknown.
        input_tokens, output_tokens: Tokens so far, earlier sessions included.
        calls: Calls ended. ``refusals`` counts attempts the provider turned away, ``retries``
            attempts after a call's first.
        elapsed_s: Since this session began.
        eta_low_s, eta_high_s: Range of the time left; ``None`` where it cannot be told.
        limited_by: What holds the run back now, and ``what_limits`` says it in a sentence.
        share: Part of the items that is done, 0 to 1, never falling; ``None`` without a total.
        models: Calls by model, busiest first.
        concurrency_learned: Whether the concurrency limit was learned, and may move.
        budgets: How much of each bound of the run's budget is used; empty without a budget.
        alerts: What goes wrong of late, in words; empty where nothing does.
    """

    items_total: int | None
    items_done: int
    items_succeeded: int
    items_failed: int
    items_cancelled: int
    items_cached: int
    items_in_progress: int
    in_flight: int
    waiting: int
    concurrency_limit: float
    items_per_s: float
    tokens_per_s: float
    cost_usd: Decimal | None
    priced_usd: Decimal
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    calls: int
    refusals: int
    retries: int
    elapsed_s: float
    eta_low_s: float | None
    eta_high_s: float | None
    limited_by: Cause
    what_limits: str
    share: float | None
    models: Sequence[ModelSnapshot] = ()
    concurrency_learned: bool = False
    budgets: Sequence[BudgetUse] = ()
    alerts: Sequence[str] = ()


class _ModelTally:
    __slots__ = ("cached", "failed", "open", "output_tokens", "served")

    def __init__(self) -> None:
        self.open = 0
        self.served = 0
        self.failed = 0
        self.cached = 0
        self.output_tokens = 0


class Progress:
    """Counts what the engine tells it; every call costs O(1) and no memory.

    Not safe for several threads: it belongs to the engine's event loop.

    Args:
        clock: Source of time.
        before: Totals of earlier sessions of the run.
        total: Items in all, where known from the start.
        facts: The limits in force, for the sentence on what limits the run.
        lag_threshold_s: See :class:`fanwise.progress.account.Account`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        before: Counters = _EMPTY,
        total: int | None = None,
        facts: LimitFacts | None = None,
        lag_threshold_s: float = 0.05,
    ) -> None:
        self._clock = clock
        self._start = clock.monotonic()
        self._account = Account(lag_threshold_s=lag_threshold_s)
        self._window = SlidingSum(start=self._start)
        self._facts = LimitFacts() if facts is None else facts
        self._total = total
        self._ended: dict[ItemState, int] = {
            "succeeded": before.succeeded,
            "failed": before.failed,
            "cancelled": before.cancelled,
        }
        self._cached = before.cached
        self._begun = 0
        self._worked = 0
        self._calls = before.calls
        self._failed_calls = 0
        self.monitor = Monitor()
        self._refusals = before.rate_limited
        self._retries = max(0, before.attempts - before.calls)
        self._input_tokens = before.input_tokens
        self._output_tokens = before.output_tokens
        self._cost_usd = before.cost_usd
        self._unpriced = before.unpriced_calls
        self._share = 0.0
        self._models: dict[str, _ModelTally] = {}

    def __repr__(self) -> str:
        total = "?" if self._total is None else self._total
        return f"<Progress {sum(self._ended.values())}/{total} items, {self._begun} in progress>"

    # What the engine tells.

    def set_total(self, total: int | None) -> None:
        """How many items there are in all; ``None`` while that is unknown."""
        self._total = total

    def set_facts(self, facts: LimitFacts) -> None:
        """The limits in force have changed."""
        self._facts = facts

    def item_started(self) -> None:
        """An item's function was entered."""
        self._begun += 1

    def item_finished(self, record: ItemRecord, *, replaces: ItemState | None = None) -> None:
        """A started item has ended.

        Args:
            record: Its end.
            replaces: How it had ended in an earlier session that ``before`` counted, if it had.
        """
        self._begun -= 1
        self._worked += 1
        self._ended[record.state] += 1
        if record.cached and record.state == "succeeded":
            self._cached += 1
        if replaces is not None:
            self._ended[replaces] -= 1
        self._window.add(self._clock.monotonic(), items=1)

    def item_left(self) -> None:
        """A started item was given up without an end; a resume will take it again."""
        self._begun -= 1

    def call_started(self, model: str) -> None:
        """A call of an item has begun: it will wait for its permit or be sent."""
        self._tally(model).open += 1

    def call_left(self, model: str) -> None:
        """A call that had begun was given up without an outcome."""
        self._tally(model).open -= 1

    def call_finished(self, record: CallRecord) -> None:
        """A call that had begun has its outcome."""
        tally = self._tally(record.model)
        tally.open -= 1
        self._calls += 1
        self._failed_calls += record.state == "failed"
        if record.cached:
            tally.cached += 1
            return
        if record.state == "served":
            tally.served += 1
        elif record.state == "failed":
            tally.failed += 1
        if record.cost_usd is None:
            self._unpriced += 1
        else:
            self._cost_usd += record.cost_usd
        taken = record.usage.input_tokens or 0
        given = record.usage.output_tokens or 0
        self._input_tokens += taken
        self._output_tokens += given
        tally.output_tokens += given
        self._window.add(self._clock.monotonic(), tokens=taken + given)

    def refused(self) -> None:
        """The provider turned an attempt away (a rate or capacity refusal)."""
        self._refusals += 1

    def retried(self) -> None:
        """An attempt after a call's first was sent."""
        self._retries += 1

    def observe(
        self,
        waiting: Mapping[Cause, int],
        *,
        source_waiting: bool,
        in_flight: int,
        limit: float,
        lag_s: float,
    ) -> None:
        """A sample of the run's state, for the account; about ten a second and one at each end."""
        self._account.observe(
            self._clock.monotonic(),
            waiting,
            source_waiting=source_waiting,
            in_flight=in_flight,
            limit=limit,
            lag_s=lag_s,
        )

    def _tally(self, model: str) -> _ModelTally:
        tally = self._models.get(model)
        if tally is None:
            tally = self._models[model] = _ModelTally()
        return tally

    # What it answers.

    @property
    def calls_ended(self) -> tuple[int, int]:
        """Calls that ended, and those of them that failed in this session."""
        return self._calls, self._failed_calls

    def account(self) -> AccountStatistics:
        """This session's account of time, for the journal's checkpoints."""
        return self._account.statistics()

    def snapshot(self) -> Snapshot:
        """The run at this instant. Costs tens of microseconds: for display, not for each call."""
        now = self._clock.monotonic()
        done = sum(self._ended.values())
        items_per_s, tokens_per_s = self._window.rates(now)
        sample = self._account.sample
        cause = self._account.now
        low_s, high_s = self._eta(done, items_per_s, elapsed_s=now - self._start)
        return Snapshot(
            items_total=self._total,
            items_done=done,
            items_succeeded=self._ended["succeeded"],
            items_failed=self._ended["failed"],
            items_cancelled=self._ended["cancelled"],
            items_cached=self._cached,
            items_in_progress=self._begun,
            in_flight=sample.in_flight,
            waiting=sum(sample.waiting.values()),
            concurrency_limit=sample.limit,
            items_per_s=items_per_s,
            tokens_per_s=tokens_per_s,
            cost_usd=None if self._unpriced else self._cost_usd,
            priced_usd=self._cost_usd,
            unpriced_calls=self._unpriced,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            calls=self._calls,
            refusals=self._refusals,
            retries=self._retries,
            elapsed_s=now - self._start,
            eta_low_s=low_s,
            eta_high_s=high_s,
            limited_by=cause,
            what_limits=what_limits(cause, facts=self._facts, in_flight=sample.in_flight),
            share=self._share_of(done),
            models=self._model_snapshots(),
            concurrency_learned=self._facts.learned,
            alerts=self.monitor.raised,
        )

    def _share_of(self, done: int) -> float | None:
        if self._total is None:
            return None
        # A total can grow and a failed item can be taken again: what was shown stays shown.
        share = 1.0 if self._total <= done else done / self._total
        self._share = max(self._share, share)
        return self._share

    def _eta(
        self, done: int, items_per_s: float, *, elapsed_s: float
    ) -> tuple[float | None, float | None]:
        if self._total is None:
            return None, None
        return eta_range(
            self._total - done,
            worked=self._worked,
            recent_per_s=items_per_s,
            mean_per_s=self._worked / elapsed_s if elapsed_s > 0.0 else 0.0,
        )

    def _model_snapshots(self) -> Sequence[ModelSnapshot]:
        found = [
            ModelSnapshot(
                model=model,
                open=tally.open,
                served=tally.served,
                failed=tally.failed,
                cached=tally.cached,
                output_tokens=tally.output_tokens,
            )
            for model, tally in self._models.items()
        ]
        return sorted(found, key=lambda m: (-m.open, -m.served, m.model))


def eta_range(
    remaining: int, *, worked: int, recent_per_s: float, mean_per_s: float
) -> tuple[float | None, float | None]:
    """The time left, as a range: from the faster of two rates to the slower, each widened.

    The two are the rate of the last seconds and the mean since the session began. Ends of items are
    taken as a Poisson stream, so that a rate known from n of them is known to about 2/√n.

    Args:
        remaining: Items left.
        worked: Items ended in this session.
        recent_per_s: Items a second over the last seconds.
        mean_per_s: Items a second since the session began.

    Returns:
        Low and high bound in seconds; ``None`` for a bound that cannot be told yet.
    """
    if remaining <= 0:
        return 0.0, 0.0
    fast, slow = max(recent_per_s, mean_per_s), min(recent_per_s, mean_per_s)
    if worked == 0 or fast <= 0.0:
        return None, None
    doubt = 2.0 / math.sqrt(worked)
    low_s = remaining / (fast * (1.0 + doubt))
    high_s = remaining / (slow * (1.0 - doubt)) if slow > 0.0 and doubt < 1.0 else None
    return low_s, high_s
