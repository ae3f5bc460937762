"""What held the run back: every moment of its time is given to what its calls waited for.

The account is sampled. The time between two samples belongs to the state seen at the first of them;
only the event loop's lag is taken from the second, since lag is how late a sample comes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fanwise.records import NOTHING, Cause

CAUSES: tuple[Cause, ...] = (
    "rate",
    "tokens",
    "concurrency",
    "retry wait",
    "budget",
    "paused",
    "source",
    "cpu",
    "nothing",
)

_RECENT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The state of a run at one instant.

    Args:
        waiting: Calls that wait, by what they wait for.
        source_waiting: The engine awaits the source's next item.
        in_flight: Calls sent and not yet answered.
        limit: Concurrency limit in force; ``math.inf`` where there is none.
    """

    waiting: Mapping[Cause, int] = NOTHING
    source_waiting: bool = False
    in_flight: int = 0
    limit: float = math.inf


def attribute(sample: Sample, *, lag_s: float, lag_threshold_s: float) -> Mapping[Cause, float]:
    """The causes that hold the run back in one state, as shares that add to 1.

    Calls that wait come first, by their causes and weighted by their number. Where none waits, a
    lagging event loop is named; then a source that is slower than the capacity left; else nothing
    holds the run back and its work is simply in flight.

    Args:
        sample: The state.
        lag_s: How late the event loop ran in that state, in seconds.
        lag_threshold_s: Lag that counts as a busy machine, in seconds.
    """
    total = 0
    for count in sample.waiting.values():
        if count > 0:
            total += count
    if total:
        return {cause: count / total for cause, count in sample.waiting.items() if count > 0}
    if lag_s > lag_threshold_s:
        return _CPU
    if sample.source_waiting and sample.in_flight < sample.limit:
        return _SOURCE
    return _NOTHING


_CPU: Mapping[Cause, float] = {"cpu": 1.0}
_SOURCE: Mapping[Cause, float] = {"source": 1.0}
_NOTHING: Mapping[Cause, float] = {"nothing": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatistics:
    """What an account holds so far: seconds by cause, and the integrals behind utilisation."""

    limited_by: Mapping[Cause, float]
    in_flight_s: float
    limit_s: float
    observed_s: float


class Account:
    """Adds up a run's time by cause. Reads no clock: the instant comes with each sample.

    Args:
        lag_threshold_s: Event-loop lag above which an interval without waiting calls counts as
            ``cpu``, in seconds.
    """

    __slots__ = ("_in_flight_s", "_lag_s", "_last", "_limit_s", "_recent", "_sample", "_seconds")

    def __init__(self, *, lag_threshold_s: float = 0.05) -> None:
        self._lag_s = lag_threshold_s
        self._seconds: dict[Cause, float] = dict.fromkeys(CAUSES, 0.0)
        self._recent: dict[Cause, float] = dict.fromkeys(CAUSES, 0.0)
        self._in_flight_s = 0.0
        self._limit_s = 0.0
        self._last: float | None = None
        self._sample = Sample()

    def __repr__(self) -> str:
        held = {cause: round(s, 3) for cause, s in self._seconds.items() if s}
        return f"<Account {held} in_flight_s={self._in_flight_s:.3f}>"

    def observe(
        self,
        now: float,
        waiting: Mapping[Cause, int],
        *,
        source_waiting: bool,
        in_flight: int,
        limit: float,
        lag_s: float,
    ) -> None:
        """Closes the interval since the sample before it, and begins the next.

        Args:
            now: Seconds on a monotonic clock. An instant before the last one counts as the last.
            waiting: Calls that wait now, by cause.
            source_waiting: The engine awaits the source now.
            in_flight: Calls in flight now.
            limit: Concurrency limit now; ``math.inf`` where there is none.
            lag_s: How late this sample came, in seconds: it tells of the interval it closes.
        """
        if self._last is not None:
            self._add(max(0.0, now - self._last), lag_s=lag_s)
        self._last = now if self._last is None else max(now, self._last)
        self._sample = Sample(
            waiting=dict(waiting), source_waiting=source_waiting, in_flight=in_flight, limit=limit
        )

    def _add(self, span_s: float, *, lag_s: float) -> None:
        held = attribute(self._sample, lag_s=lag_s, lag_threshold_s=self._lag_s)
        keep = math.exp(-span_s / _RECENT_S)
        for cause in CAUSES:
            share = held.get(cause, 0.0)
            self._seconds[cause] += share * span_s
            self._recent[cause] = self._recent[cause] * keep + share * (1.0 - keep)
        self._in_flight_s += self._sample.in_flight * span_s
        if self._sample.limit < math.inf:
            self._limit_s += self._sample.limit * span_s

    @property
    def now(self) -> Cause:
        """What holds the run back at present: the largest share of about the last second."""
        if not any(self._recent.values()):
            held = attribute(self._sample, lag_s=0.0, lag_threshold_s=self._lag_s)
            return max(held, key=lambda cause: held[cause])
        return max(CAUSES, key=lambda cause: self._recent[cause])

    @property
    def sample(self) -> Sample:
        """The last state observed."""
        return self._sample

    def statistics(self) -> AccountStatistics:
        """The totals so far. Time without a concurrency limit adds nothing to ``limit_s``."""
        return AccountStatistics(
            limited_by={cause: s for cause, s in self._seconds.items() if s > 0.0},
            in_flight_s=self._in_flight_s,
            limit_s=self._limit_s,
            observed_s=math.fsum(self._seconds.values()),
        )


def shares(seconds: Mapping[Cause, float]) -> Mapping[Cause, float]:
    """Seconds by cause as shares that add to 1, largest first.

    An empty account says that nothing was seen to hold the run back.
    """
    total = math.fsum(seconds.values())
    if total <= 0.0:
        return _NOTHING
    order = sorted(seconds, key=lambda cause: (-seconds[cause], CAUSES.index(cause)))
    return {cause: seconds[cause] / total for cause in order if seconds[cause] > 0.0}
