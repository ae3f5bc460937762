"""A run's figures over time: from the ends of its items, and from snapshots where it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.progress.live import Snapshot
    from fanwise.progress.timeline import Tick
    from fanwise.records import ItemRecord

MOST_STRETCHES = 600
_LATENCIES = 200


@dataclass(slots=True)
class _Stretch:
    """What fell into one stretch of time."""

    succeeded: int = 0
    failed: int = 0
    retries: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    latencies_s: list[float] = field(default_factory=list[float])
    in_flight: float | None = None
    limit: float | None = None
    refusals: int | None = None

    def add(self, other: _Stretch) -> None:
        """Takes what came right after."""
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.retries += other.retries
        self.tokens += other.tokens
        self.cost_usd += other.cost_usd
        self.latencies_s = (self.latencies_s + other.latencies_s)[:: 1 + self._crowded(other)]
        for name in ("in_flight", "limit", "refusals"):
            later = getattr(other, name)
            if later is not None:
                setattr(self, name, later)

    def _crowded(self, other: _Stretch) -> int:
        return int(len(self.latencies_s) + len(other.latencies_s) > _LATENCIES)

    def latency(self, share: float) -> float | None:
        """The latency that a share of the items stayed under, in seconds."""
        if not self.latencies_s:
            return None
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Series:
    """Stretches of equal length, at most 600: where there would be more, two become one.

    Costs O(1) an item and a bounded amount of memory, however long the run is.

    Args:
        begin_s: When the run began, epoch seconds.
        width_s: The length of a stretch at first, in seconds.
    """

    def __init__(self, *, begin_s: float, width_s: float = 1.0) -> None:
        self._begin_s = begin_s
        self._width_s = width_s
        self._stretches: list[_Stretch] = []

    def __repr__(self) -> str:
        return f"<Series: {len(self._stretches)} × {self._width_s:g} s>"

    def ended(self, item: ItemRecord) -> None:
        """An item has ended."""
        stretch = self._at(item.ended_at)
        if item.state == "failed":
            stretch.failed += 1
        else:
            stretch.succeeded += 1
        stretch.retries += max(0, item.attempts - 1)
        stretch.tokens += (item.usage.input_tokens or 0) + (item.usage.output_tokens or 0)
        stretch.cost_usd += float(item.cost_usd or 0)
        if not item.cached and len(stretch.latencies_s) < 2 * _LATENCIES:
            stretch.latencies_s.append(item.service_s)

    def seen(self, snapshot: Snapshot, *, at: float) -> None:
        """The run was looked at."""
        stretch = self._at(at)
        stretch.in_flight = snapshot.in_flight
        most = snapshot.concurrency_limit
        stretch.limit = most if most < float("inf") else None
        stretch.refusals = snapshot.refusals

    @property
    def looked_at(self) -> bool:
        """Whether calls in flight are known of some moment."""
        return any(stretch.in_flight is not None for stretch in self._stretches)

    def in_flight(self, ticks: Sequence[Tick]) -> None:
        """Calls in flight as the journal has them, where nobody looked while the run went on."""
        for tick in ticks:
            stretch = self._at(self._begin_s + tick.at_s)
            stretch.in_flight = max(stretch.in_flight or 0.0, tick.in_flight)
            stretch.refusals = tick.refused + (stretch.refusals or 0)
        total = 0
        for stretch in self._stretches:
            total += stretch.refusals or 0
            stretch.refusals = total

    def as_json(self) -> dict[str, Any]:
        """Columns of equal length; ``null`` where nothing is known."""
        width = self._width_s
        stretches = self._stretches
        spent = 0.0
        cost: list[float] = []
        refused: list[int | None] = []
        before = 0
        for stretch in stretches:
            spent += stretch.cost_usd
            cost.append(round(spent, 6))
            refused.append(None if stretch.refusals is None else max(0, stretch.refusals - before))
            before = before if stretch.refusals is None else stretch.refusals
        return {
            "begin_s": self._begin_s,
            "width_s": width,
            "at_s": [round((place + 1) * width, 3) for place in range(len(stretches))],
            "items_per_s": [(one.succeeded + one.failed) / width for one in stretches],
            "failed": [one.failed for one in stretches],
            "tokens_per_s": [one.tokens / width for one in stretches],
            "retries": [one.retries for one in stretches],
            "refusals": refused,
            "p50_s": [one.latency(0.5) for one in stretches],
            "p95_s": [one.latency(0.95) for one in stretches],
            "in_flight": [one.in_flight for one in stretches],
            "limit": [one.limit for one in stretches],
            "cost_usd": cost,
        }

    def _at(self, instant: float) -> _Stretch:
        place = max(0, int((instant - self._begin_s) / self._width_s))
        while place >= MOST_STRETCHES:
            self._halve()
            place = int((instant - self._begin_s) / self._width_s)
        while len(self._stretches) <= place:
            self._stretches.append(_Stretch())
        return self._stretches[place]

    def _halve(self) -> None:
        pairs = self._stretches
        for first, second in zip(pairs[::2], pairs[1::2], strict=False):
            first.add(second)
        self._stretches = pairs[::2]
        self._width_s *= 2
