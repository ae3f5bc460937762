"""Which mode is the quickest: by count, and by predicted time once that has been measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fanwise.engine.modes.settings import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known of the time that modes take, in seconds; ``None`` is not known yet.

    Args:
        latency_s: One call for one item, served alone.
        overhead_s: What every call costs besides, and cannot be had side by side.
        pack_base_s: The part of a pack's latency that does not grow with its items (a of a + b·n).
        pack_item_s: What each of its items adds (b).
    """

    latency_s: float | None = None
    overhead_s: float | None = None
    pack_base_s: float | None = None
    pack_item_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A mode, and why it was taken."""

    mode: Mode
    reason: str


class ModeTimes:
    """Times of calls and packs, kept over maps so that ``mode="auto"`` can predict.

    A run has one of its own. For ``fw.map``, make one and hand it to every map over the same
    function: ``fw.map(…, mode="auto", times=times)``.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._calls_s = 0.0
        self._overhead_of = 0
        self._overhead_s = 0.0
        self._packs = _Line()

    def __repr__(self) -> str:
        return f"<ModeTimes of {self._calls} calls and {self._packs.points} packs>"

    def call(self, service_s: float) -> None:
        """One call for one item was served in so many seconds."""
        self._calls += 1
        self._calls_s += service_s

    def pack(self, items: int, service_s: float) -> None:
        """One request for so many items was served in so many seconds."""
        self._packs.add(items, service_s)

    def stretch(self, *, calls: int, wall_s: float, service_s: float, at_once: int) -> None:
        """A stretch of single calls is over.

        What its wall time exceeds the least that ``calls`` of the mean service time need at
        ``at_once`` side by side is overhead.

        Args:
            calls: Calls in it, at least 1.
            wall_s: From its first start to its last end.
            service_s: Sum over its calls.
            at_once: Most calls at one time, at least 1.
        """
        least_s = math.ceil(calls / at_once) * (service_s / calls)
        self._overhead_of += calls
        self._overhead_s += max(0.0, wall_s - least_s)

    def measured(self) -> Measured:
        """What is known by now."""
        line = self._packs.fit()
        return Measured(
            latency_s=self._calls_s / self._calls if self._calls else None,
            overhead_s=self._overhead_s / self._overhead_of if self._overhead_of else None,
            pack_base_s=line[0] if line else None,
            pack_item_s=line[1] if line else None,
        )


class _Line:
    """Least squares of y = a + b·x in constant memory; a and b at least 0."""

    def __init__(self) -> None:
        self.points = 0
        self._x = self._y = self._xx = self._xy = 0.0

    def add(self, x: float, y: float) -> None:
        self.points += 1
        self._x += x
        self._y += y
        self._xx += x * x
        self._xy += x * y

    def fit(self) -> tuple[float, float] | None:
        if not self.points:
            return None
        spread = self.points * self._xx - self._x * self._x
        if spread <= 1e-9 * max(1.0, self._xx):
            return 0.0, self._y / self._x  # packs of one size say nothing of another's base
        slope = (self.points * self._xy - self._x * self._y) / spread
        base = (self._y - slope * self._x) / self.points
        if slope < 0:
            return self._y / self.points, 0.0
        if base < 0:
            return 0.0, self._xy / self._xx
        return base, slope


def predicted_s(
    *, count: int, concurrency: float, pack_size: int | None, measured: Measured
) -> dict[Mode, float]:
    """The time each mode is expected to take for so many items, in seconds.

    Side by side: the waves that the concurrency allows, each one latency long, and every call's
    overhead. Packed: the same of packs. One after another: everything in a row. Modes of which
    too little is known are left out.

    Args:
        count: Items, at least 1.
        concurrency: Most calls at once; ``math.inf`` for no limit.
        pack_size: Most items a pack; ``None`` where items cannot be packed.
        measured: What is known.
    """
    overhead_s = measured.overhead_s or 0.0
    times: dict[Mode, float] = {}
    if measured.latency_s is not None:
        waves = _waves(count, concurrency)
        times["parallel"] = waves * measured.latency_s + count * overhead_s
        times["sequential"] = count * (measured.latency_s + overhead_s)
    if pack_size is not None and measured.pack_base_s is not None:
        packs = math.ceil(count / pack_size)
        filled = math.ceil(count / packs)
        one_s = measured.pack_base_s + filled * (measured.pack_item_s or 0.0)
        times["batch"] = _waves(packs, concurrency) * one_s + packs * overhead_s
    return times


def choose(
    *, count: int | None, concurrency: float, pack_size: int | None, measured: Measured
) -> Choice:
    """The mode for so many items.

    By predicted time where latency has been measured (and a pack's, where there is a pack); else
    one item goes by itself, two in one pack, three and more side by side.

    Args:
        count: Items, where that is known; ``None`` for three or more.
        concurrency: Most calls at once.
        pack_size: Most items a pack; ``None`` where items cannot be packed.
        measured: What is known of times.
    """
    if count is not None and count > 1:
        times = predicted_s(
            count=count, concurrency=concurrency, pack_size=pack_size, measured=measured
        )
        if "parallel" in times and ("batch" in times or pack_size is None):
            best = min(times, key=lambda mode: times[mode])
            told = ", ".join(f"{mode} {seconds:.3g} s" for mode, seconds in times.items())
            return Choice(mode=best, reason=f"predicted for {count} items: {told}")
    return _by_count(count, pack_size)


def _by_count(count: int | None, pack_size: int | None) -> Choice:
    if count == 0:
        return Choice(mode="sequential", reason="no items")
    if count == 1:
        return Choice(mode="sequential", reason="1 item")
    if count == 2:
        if pack_size is None:
            return Choice(mode="parallel", reason="2 items, and no pack to put them in")
        return Choice(mode="batch", reason="2 items")
    return Choice(mode="parallel", reason=f"{count} items" if count else "3 items or more")


def _waves(count: int, concurrency: float) -> int:
    return 1 if math.isinf(concurrency) else math.ceil(count / concurrency)
