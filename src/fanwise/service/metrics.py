"""Figures of the service for Prometheus. No run, token or model is a label: nobody knows their
number, and a collector keeps every label for ever.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import SummaryMetricFamily
from sqlalchemy import func, select

from fanwise.service.tables import work

if TYPE_CHECKING:
    import fanwise as fw
    from fanwise.clock import Clock
    from fanwise.progress.live import Snapshot
    from fanwise.service.accepted import Accepted
    from fanwise.service.feeds import Feeds
    from fanwise.service.supervisor import Supervisor

STATES: Final = ("accepted", "running", "finished", "failed", "cancelled", "stopped")
ENDS: Final = STATES[2:]
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LOOK_S = 0.5
_LAG_KEPT = 30


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What of a run under way is counted already, and when it last went on."""

    snapshot: Snapshot
    moved_at: float


class _Commits:
    """How long commits to the service's tables take."""

    def __init__(self, store: fw.Store) -> None:
        self._store = store

    def collect(self) -> Iterable[SummaryMetricFamily]:
        writer = self._store.writer
        yield SummaryMetricFamily(
            "fanwise_store_commit_seconds",
            "Commits to the service's tables, each of a group of writes.",
            count_value=writer.groups,
            sum_value=writer.commit_s,
        )


class Metrics:
    """The figures of one service, over a registry of its own.

    Args:
        store: The service's tables.
        supervisor: What is under way.
        feeds: Who watches.
        clock: Time.
    """

    def __init__(
        self, store: fw.Store, *, supervisor: Supervisor, feeds: Feeds, clock: Clock
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._feeds = feeds
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._lags: list[float] = []
        self._registry = registry = CollectorRegistry()
        registry.register(_Commits(store))
        self._runs = Gauge("fanwise_runs", "Runs by state.", ["state"], registry=registry)
        self._ended = Counter(
            "fanwise_runs_ended",
            "Runs that have ended here, by state.",
            ["state"],
            registry=registry,
        )
        for state in ENDS:
            self._ended.labels(state)
        self._items = Counter(
            "fanwise_items", "Items that have ended here.", ["state"], registry=registry
        )
        self._tokens = Counter("fanwise_tokens", "LLM tokens.", ["direction"], registry=registry)
        counted = {
            "calls": "Calls that have ended here.",
            "refusals": "Attempts that a provider turned away.",
            "retries": "Attempts after a call's first.",
            "call_failures": "Calls that have failed for good.",
            "cost_usd": "US dollars, as far as prices are known.",
        }
        self._counts = {
            name: Counter(f"fanwise_{name}", text, registry=registry)
            for name, text in counted.items()
        }
        gauges = {
            "calls_in_flight": "Calls sent and not yet answered.",
            "calls_waiting": "Calls that wait for a permit or for their backoff.",
            "concurrency_limit": "Concurrency limits in force, over all runs that have one.",
            "run_stall_seconds": "Since the run under way that stands still longest went on.",
            "watchers": "Event streams and sockets that are open.",
            "database_connections": "Connections to the service's database in use.",
            "loop_lag_seconds": "How late the event loop was at worst in the last 15 s.",
        }
        self._gauges = {
            name: Gauge(f"fanwise_{name}", text, registry=registry) for name, text in gauges.items()
        }

    def begun(self, run_id: str) -> None:
        """A run was opened here: what earlier sessions did is not counted again."""
        active = self._supervisor.active(run_id)
        if active is not None and active.run is not None:
            now = self._clock.monotonic()
            self._seen[run_id] = _Seen(snapshot=active.run.snapshot(), moved_at=now)

    def ended(self, accepted: Accepted) -> None:
        """A run has ended here."""
        self._look(accepted.run_id)
        self._seen.pop(accepted.run_id, None)
        self._ended.labels(accepted.state).inc()

    async def watch_loop(self) -> None:
        """Measures how late the event loop is; runs as long as the service does."""
        while True:
            due = self._clock.monotonic() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self._lags.append(max(0.0, self._clock.monotonic() - due))
            del self._lags[:-_LAG_KEPT]

    async def text(self) -> bytes:
        """All figures, in Prometheus's text format."""
        states = await self._store.read(
            lambda c: c.execute(select(work.c.state, func.count()).group_by(work.c.state)).all()
        )
        self._fill({row.state: row[1] for row in states})
        return generate_latest(self._registry)

    def _fill(self, states: Mapping[str, int]) -> None:
        for state in STATES:
            self._runs.labels(state).set(states.get(state, 0))
        for run_id in list(self._seen):
            self._look(run_id)
        now = self._clock.monotonic()
        shown = [seen.snapshot for seen in self._seen.values()]
        limits = [one.concurrency_limit for one in shown if math.isfinite(one.concurrency_limit)]
        found = {
            "calls_in_flight": sum(one.in_flight for one in shown),
            "calls_waiting": sum(one.waiting for one in shown),
            "concurrency_limit": sum(limits),
            "run_stall_seconds": max(
                (now - one.moved_at for one in self._seen.values()), default=0
            ),
            "watchers": self._feeds.watchers,
            "database_connections": self._store.connections,
            "loop_lag_seconds": max(self._lags, default=0.0),
        }
        for name, value in found.items():
            self._gauges[name].set(value)

    def _look(self, run_id: str) -> None:
        """Counts what a run has done since it was last looked at."""
        seen = self._seen.get(run_id)
        active = self._supervisor.active(run_id)
        if seen is None or active is None or active.run is None:
            return
        before, after = seen.snapshot, active.run.snapshot()
        for state, more in (
            ("succeeded", after.items_succeeded - before.items_succeeded),
            ("failed", after.items_failed - before.items_failed),
            ("cancelled", after.items_cancelled - before.items_cancelled),
        ):
            self._items.labels(state).inc(max(0, more))
        self._tokens.labels("input").inc(max(0, after.input_tokens - before.input_tokens))
        self._tokens.labels("output").inc(max(0, after.output_tokens - before.output_tokens))
        for name, more in (
            ("calls", after.calls - before.calls),
            ("refusals", after.refusals - before.refusals),
            ("retries", after.retries - before.retries),
            ("call_failures", _failed(after) - _failed(before)),
            ("cost_usd", float(after.priced_usd - before.priced_usd)),
        ):
            self._counts[name].inc(max(0, more))
        if (after.calls, after.items_done) != (before.calls, before.items_done):
            seen.moved_at = self._clock.monotonic()
        seen.snapshot = after


def _failed(snapshot: Snapshot) -> int:
    return sum(model.failed for model in snapshot.models)
