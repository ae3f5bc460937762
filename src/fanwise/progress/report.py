"""What a run took, what it would have taken one call after another, and what held it back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fanwise.progress.account import shares
from fanwise.progress.chains import LongestChain
from fanwise.progress.tallies import (
    AMBIGUOUS_LISTED,
    AmbiguousCall,
    ErrorGroup,
    ErrorGroups,
    HedgeReport,
    HedgeTally,
    ModelReport,
    ModelTally,
)
from fanwise.progress.timeline import Axis, Bar, Tick, Timeline, Waterfall
from fanwise.records import (
    NOTHING,
    BudgetUse,
    CallRecord,
    Cause,
    Counters,
    ItemRecord,
    RunRecord,
    SessionRecord,
)

_BUSY = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run, in figures. ``docs/report.md`` defines every one of them.

    Args:
        run: The run.
        counters: Its totals.
        items_total: Items in all, where the source's end was seen; else those that have ended.
        wall_s: Summed duration of the run's sessions.
        sequential_s: Summed duration of all served attempts: what the same answers take one after
            another, without a refusal, a failure or a wait.
        savings_s: ``sequential_s`` − ``wall_s``; below zero where waits outweighed the gain.
        speedup: ``sequential_s`` ÷ ``wall_s``; ``None`` of a run that took no time.
        efficiency: ``savings_s`` ÷ ``sequential_s``; ``None`` where nothing was served.
        utilisation: Mean calls in flight ÷ the concurrency limit then in force; ``None`` where no
            limit was in force.
        critical_path_s: The longest time for which the calls of any one item were in service.
        limited_by: Share of the time by what held the run back, adding to 1, largest first.
        models: Figures by model, most calls first.
        errors: Failed items by what went wrong, most items first.
        ambiguous: Calls that a crash caught in flight, in order of their intents, at most 10 000.
        ambiguous_count: All of them.
        sessions: The run's sessions; every one but the first is a resume.
        refusals, retries: Attempts turned away for rate or capacity, and attempts after a call's
            first that were no hedges.
        alerts: What was raised and cleared, oldest first, at most 1000; each with its figure, its
            reason, its share, ``raised`` or ``cleared``, and the epoch second.
        hedges: Calls that stalled and were sent a second time; ``None`` where there were none.
        bars: An even sample of at most 2000 calls for the waterfall; ``calls_sent`` is out of how
            many.
        timeline: Calls in flight and their ends over the run's work.
        learned: By quota pool, what refusals had taught of its limits when the last session ended.
        budgets: How much of each bound of its last budget is used; empty without one.
        seams: Where one session ends and the next begins, in seconds of work.
    """

    run: RunRecord
    counters: Counters
    items_total: int
    wall_s: float
    sequential_s: float
    savings_s: float
    speedup: float | None
    efficiency: float | None
    utilisation: float | None
    critical_path_s: float
    limited_by: Mapping[Cause, float]
    models: Sequence[ModelReport]
    errors: Sequence[ErrorGroup]
    ambiguous: Sequence[AmbiguousCall]
    ambiguous_count: int
    sessions: Sequence[SessionRecord]
    refusals: int
    retries: int
    calls_sent: int
    bars: Sequence[Bar]
    timeline: Sequence[Tick]
    seams: Sequence[float]
    budgets: Sequence[BudgetUse] = ()
    hedges: HedgeReport | None = None
    alerts: Sequence[Mapping[str, Any]] = ()
    learned: Mapping[str, Any] = NOTHING

    @property
    def cost_usd(self) -> Decimal | None:
        """What the run cost; ``None`` where the price of some call is unknown."""
        return None if self.counters.unpriced_calls else self.counters.cost_usd

    @property
    def kills(self) -> int:
        """Sessions that ended without closing the run; the one that goes on is none."""
        left_open = sum(1 for session in self.sessions if not session.closed)
        going_on = self.run.live and bool(self.sessions) and not self.sessions[-1].closed
        return left_open - going_on

    @property
    def machine_bound(self) -> bool:
        """Whether this machine was busy for a tenth of the time or more.

        Answers then lie waiting here before they are read, which counts as service: the sequential
        time and the speedup are overstated.
        """
        return self.limited_by.get("cpu", 0.0) >= _BUSY


def service_s(record: CallRecord) -> float:
    """A call's service time: the summed duration of its served attempts, in seconds.

    Refused, failed and cancelled attempts are no service, nor are waits: one after another, most of
    them would not have happened. The speedup is therefore rather understated.
    """
    return math.fsum(a.ended_at - a.started_at for a in record.attempts if a.verdict == "served")


def build_report(
    run: RunRecord,
    counters: Counters,
    *,
    sessions: Sequence[SessionRecord],
    calls: Iterable[CallRecord],
    items: Iterable[ItemRecord],
    items_total: int | None = None,
) -> Report:
    """Reads a run's journal once, in order, in memory that does not grow with the run.

    Args:
        run: The run.
        counters: Its totals.
        sessions: Its sessions, in order. A session that goes on ends at the last commit.
        calls: Its calls in order of their intents, attempts included; read once.
        items: Its ended items, in any order; read once.
        items_total: Items in all, where known.
    """
    axis = Axis(sessions)
    tallies = _Tallies(axis)
    for call in calls:
        tallies.add_call(call)
    errors = ErrorGroups()
    for item in items:
        errors.add(item)
    wall_s = axis.length_s
    sequential_s = math.fsum(tally.latency.total for tally in tallies.models.values())
    models = [tally.report() for tally in tallies.models.values()]
    return Report(
        run=run,
        counters=counters,
        items_total=counters.finished if items_total is None else items_total,
        wall_s=wall_s,
        sequential_s=sequential_s,
        savings_s=sequential_s - wall_s,
        speedup=sequential_s / wall_s if wall_s > 0.0 else None,
        efficiency=(sequential_s - wall_s) / sequential_s if sequential_s > 0.0 else None,
        utilisation=_utilisation(sessions),
        critical_path_s=tallies.chain.longest_s,
        limited_by=_limited_by(sessions),
        models=sorted(models, key=lambda m: (-m.calls, m.model)),
        errors=errors.report(),
        ambiguous=tallies.ambiguous,
        ambiguous_count=tallies.ambiguous_count,
        sessions=tuple(sessions),
        refusals=sum(m.refusals for m in models),
        retries=sum(m.retries for m in models),
        calls_sent=tallies.waterfall.seen,
        bars=tallies.waterfall.bars(),
        timeline=tallies.timeline.ticks(),
        seams=axis.seams,
        hedges=tallies.hedges.report(),
    )


class _Tallies:
    """Everything that is gathered from the calls in one pass."""

    def __init__(self, axis: Axis) -> None:
        self.models: dict[str, ModelTally] = {}
        self.chain = LongestChain()
        self.timeline = Timeline(axis)
        self.waterfall = Waterfall(axis)
        self.hedges = HedgeTally()
        self.ambiguous: list[AmbiguousCall] = []
        self.ambiguous_count = 0

    def add_call(self, record: CallRecord) -> None:
        tally = self.models.get(record.model)
        if tally is None:
            tally = self.models[record.model] = ModelTally(model=record.model)
        tally.add(record)
        self.hedges.add(record)
        for attempt in record.attempts:
            self.timeline.add(attempt)
        self.chain.add(
            record.key.item_id,
            ((a.started_at, a.ended_at) for a in record.attempts if a.verdict == "served"),
        )
        self.waterfall.add(record)
        if record.resends or record.state == "ambiguous":
            self._add_ambiguous(record)

    def _add_ambiguous(self, record: CallRecord) -> None:
        self.ambiguous_count += 1
        if len(self.ambiguous) < AMBIGUOUS_LISTED:
            self.ambiguous.append(
                AmbiguousCall(
                    item_id=record.key.item_id,
                    model=record.model,
                    label=record.label,
                    started_at=record.started_at,
                    resends=record.resends,
                    state=record.state,
                )
            )


def _utilisation(sessions: Sequence[SessionRecord]) -> float | None:
    limit_s = math.fsum(session.limit_s for session in sessions)
    if not 0.0 < limit_s < math.inf:
        return None
    return math.fsum(session.in_flight_s for session in sessions) / limit_s


def _limited_by(sessions: Sequence[SessionRecord]) -> Mapping[Cause, float]:
    seconds: dict[Cause, float] = {}
    for session in sessions:
        for cause, held_s in session.limited_by.items():
            seconds[cause] = seconds.get(cause, 0.0) + held_s
    return shares(seconds)


def summary_json(report: Report, output_file: str | None = None) -> dict[str, Any]:
    """The summary that ``--json`` prints: plain JSON values, unknown figures as ``null``."""
    counters = report.counters
    return {
        "run_id": report.run.run_id,
        "name": report.run.spec.name,
        "status": report.run.status,
        "items": {
            "total": report.items_total,
            "succeeded": counters.succeeded,
            "failed": counters.failed,
            "cancelled": counters.cancelled,
            "cached": counters.cached,
        },
        "calls": counters.calls,
        "attempts": counters.attempts,
        "rate_limited": counters.rate_limited,
        "refusals": report.refusals,
        "retries": report.retries,
        "hedges": _hedges(report.hedges),
        "alerts": [dict(alert) for alert in report.alerts],
        "tokens": {
            "input_tokens": counters.input_tokens,
            "output_tokens": counters.output_tokens,
            "total_tokens": counters.input_tokens + counters.output_tokens,
        },
        "cost_usd": _dollars(report.cost_usd),
        "unpriced_calls": counters.unpriced_calls,
        "budget": {use.kind: {"spent": use.spent, "limit": use.limit} for use in report.budgets},
        "wall_s": report.wall_s,
        "sequential_s": report.sequential_s,
        "savings_s": report.savings_s,
        "speedup": report.speedup,
        "efficiency": report.efficiency,
        "utilisation": report.utilisation,
        "critical_path_s": report.critical_path_s,
        "machine_bound": report.machine_bound,
        "limited_by": [
            {"cause": cause, "share": share} for cause, share in report.limited_by.items()
        ],
        "models": [_model(model) for model in report.models],
        "errors": [_error(group) for group in report.errors],
        "ambiguous_count": report.ambiguous_count,
        "ambiguous": [_ambiguous(call) for call in report.ambiguous],
        "sessions": [_session(session) for session in report.sessions],
        "output_file": output_file,
    }


def _hedges(found: HedgeReport | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "sent": found.sent,
        "won": found.won,
        "lost": found.lost,
        "lost_usd": _dollars(found.lost_usd),
        "item_ids": list(found.item_ids),
    }


def _dollars(cost_usd: Decimal | None) -> float | None:
    return None if cost_usd is None else float(cost_usd)


def _model(model: ModelReport) -> dict[str, Any]:
    return {
        "model": model.model,
        "calls": model.calls,
        "cached": model.cached,
        "served": model.served,
        "failed": model.failed,
        "attempts": model.attempts,
        "retries": model.retries,
        "refusals": model.refusals,
        "p50_s": model.p50_s,
        "p95_s": model.p95_s,
        "p99_s": model.p99_s,
        "service_s": model.service_s,
        "tokens": {"input_tokens": model.input_tokens, "output_tokens": model.output_tokens},
        "cost_usd": _dollars(model.cost_usd),
    }


def _error(group: ErrorGroup) -> dict[str, Any]:
    return {
        "kind": group.kind,
        "message": group.message,
        "status": group.status,
        "hint": group.hint,
        "count": group.count,
        "item_ids": list(group.item_ids),
    }


def _ambiguous(call: AmbiguousCall) -> dict[str, Any]:
    return {
        "item_id": call.item_id,
        "model": call.model,
        "label": call.label,
        "started_at": call.started_at,
        "resends": call.resends,
        "state": call.state,
    }


def _session(session: SessionRecord) -> dict[str, Any]:
    return {
        "number": session.number,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "closed": session.closed,
    }
