"""What a report says of each model, of each kind of error and of each ambiguous call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from fanwise.progress.sketch import Sketch
from fanwise.records import HEDGE, Attempt, CallRecord, CallState, ErrorInfo, ItemRecord

SAMPLE_IDS = 5
ERROR_GROUPS = 100
AMBIGUOUS_LISTED = 10_000
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """One model's calls.

    Args:
        model: ``provider/model``.
        calls: Calls ended. ``cached`` of them were answered without a send.
        served, failed: How the calls that were sent ended.
        attempts: Sends. ``retries`` of them came after a call's first, ``refusals`` of them were
            turned away by the provider.
        p50_s, p95_s, p99_s: Latency of served attempts, to within 1 %; ``None`` of none.
        service_s: Summed duration of served attempts.
        input_tokens, output_tokens: Tokens the provider reported.
        cost_usd: Price of all of its calls; ``None`` where one is unknown.
    """

    model: str
    calls: int
    cached: int
    served: int
    failed: int
    attempts: int
    retries: int
    refusals: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    service_s: float
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Items that failed in the same way: kind, status and message, figures in it set aside.

    ``message`` and ``hint`` are the first one's; ``item_ids`` are the first five.
    """

    kind: str
    message: str
    count: int
    item_ids: Sequence[str]
    hint: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmbiguousCall:
    """A call that a crash caught between its send and its outcome: possibly paid twice.

    ``resends`` counts how often it went out again; ``state`` is what became of it.
    """

    item_id: str
    model: str
    label: str
    started_at: float
    resends: int
    state: CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeReport:
    """Calls that were sent a second time because they stalled.

    Args:
        sent: Second sends. ``won`` of them were answered first.
        lost: Sends cancelled since another one of their call was answered: perhaps paid for.
        lost_usd: What those are counted with in the cost; ``None`` where a price is unknown.
        item_ids: Items with such calls, at most 10 000.
    """

    sent: int
    won: int
    lost: int
    lost_usd: Decimal | None
    item_ids: Sequence[str]


class HedgeTally:
    """The hedges of a run while its calls stream by."""

    def __init__(self) -> None:
        self._sent = self._won = self._lost = 0
        self._lost_usd: Decimal | None = Decimal(0)
        self._item_ids: list[str] = []

    def add(self, record: CallRecord) -> None:
        """Counts the hedges of a call, if it has any."""
        hedges = [attempt for attempt in record.attempts if is_hedge(attempt)]
        if not hedges:
            return
        self._sent += len(hedges)
        self._won += any(attempt.verdict == "served" for attempt in hedges)
        if len(self._item_ids) < AMBIGUOUS_LISTED:
            self._item_ids.append(record.key.item_id)
        if record.state == "ambiguous":
            return
        lost = sum(attempt.verdict == "cancelled" for attempt in record.attempts)
        answered = sum(attempt.verdict == "served" for attempt in record.attempts)
        self._lost += lost
        if lost and record.cost_usd is None:
            self._lost_usd = None
        elif record.cost_usd is not None and self._lost_usd is not None and lost:
            self._lost_usd += record.cost_usd * lost / (lost + answered)

    def report(self) -> HedgeReport | None:
        """The figures; ``None`` where nothing was hedged."""
        if not self._sent:
            return None
        return HedgeReport(
            sent=self._sent,
            won=self._won,
            lost=self._lost,
            lost_usd=self._lost_usd,
            item_ids=tuple(self._item_ids),
        )


def is_hedge(attempt: Attempt) -> bool:
    """Whether an attempt was sent while another one of its call stalled."""
    return attempt.reason.startswith(HEDGE)


@dataclass(slots=True, kw_only=True)
class ModelTally:
    """One model's figures while calls stream by."""

    model: str
    latency: Sketch = field(default_factory=Sketch)
    calls: int = 0
    cached: int = 0
    served: int = 0
    failed: int = 0
    attempts: int = 0
    retries: int = 0
    refusals: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, record: CallRecord) -> None:
        """Counts a call and every attempt of it."""
        self.calls += 1
        if record.cached:
            self.cached += 1
            return
        self.served += record.state == "served"
        self.failed += record.state == "failed"
        self.attempts += len(record.attempts)
        hedges = sum(is_hedge(attempt) for attempt in record.attempts)
        self.retries += max(0, len(record.attempts) - hedges - 1)
        for attempt in record.attempts:
            if attempt.verdict == "served":
                self.latency.add(attempt.ended_at - attempt.started_at)
            self.refusals += attempt.verdict in {"rate", "capacity"}
        self.input_tokens += record.usage.input_tokens or 0
        self.output_tokens += record.usage.output_tokens or 0
        if record.cost_usd is not None:
            self.cost_usd += record.cost_usd
        elif record.attempts:
            self.unpriced += 1

    def report(self) -> ModelReport:
        """The figures as they stand."""
        return ModelReport(
            model=self.model,
            calls=self.calls,
            cached=self.cached,
            served=self.served,
            failed=self.failed,
            attempts=self.attempts,
            retries=self.retries,
            refusals=self.refusals,
            p50_s=self.latency.quantile(0.50),
            p95_s=self.latency.quantile(0.95),
            p99_s=self.latency.quantile(0.99),
            service_s=self.latency.total,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=None if self.unpriced else self.cost_usd,
        )


@dataclass(slots=True)
class _Group:
    error: ErrorInfo
    count: int = 0
    item_ids: list[str] = field(default_factory=list[str])


class ErrorGroups:
    """Failed items by what went wrong; at most 100 groups, the rest in one of kind ``other``."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[tuple[str, int | None, str], _Group] = {}

    def add(self, record: ItemRecord) -> None:
        """Counts a failed item; others are passed over."""
        if record.state != "failed":
            return
        error = record.error or ErrorInfo(kind="unknown", message="No error was recorded")
        key = (error.kind, error.status, _NUMBERS.sub("#", error.message)[:300])
        group = self._groups.get(key)
        if group is None and len(self._groups) >= ERROR_GROUPS:
            key = ("other", None, "")
            error = ErrorInfo(kind="other", message="Errors of further kinds")
            group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(error)
        group.count += 1
        if len(group.item_ids) < SAMPLE_IDS:
            group.item_ids.append(record.item_id)

    def report(self) -> Sequence[ErrorGroup]:
        """The groups, largest first."""
        found = [
            ErrorGroup(
                kind=group.error.kind,
                message=group.error.message,
                count=group.count,
                item_ids=tuple(group.item_ids),
                hint=group.error.hint,
                status=group.error.status,
            )
            for group in self._groups.values()
        ]
        return sorted(found, key=lambda group: (-group.count, group.kind, group.message))
