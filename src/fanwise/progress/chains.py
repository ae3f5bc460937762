"""The longest chain of service in a run: a floor under its duration, however much runs at once."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable

# Intents are journalled in order of time, so an item's calls lie close together: an item that was
# not seen for this many others has ended, or its session has.
_OPEN_ITEMS = 10_000
_INTERVALS = 256


class Union:
    """The length of a union of intervals, given in any order.

    At most 256 disjoint intervals are held; beyond that the earliest are closed for good, and an
    interval that comes later and reaches back into them counts its overlap twice.
    """

    __slots__ = ("_begins", "_closed_s", "_ends")

    def __init__(self) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._closed_s = 0.0

    def add(self, begin: float, end: float) -> None:
        """Adds an interval; one that ends before it begins counts as empty."""
        if end <= begin:
            return
        # Every interval that touches [begin, end] is merged into it.
        low = bisect_left(self._ends, begin)
        high = low
        while high < len(self._begins) and self._begins[high] <= end:
            high += 1
        if low < high:
            begin = min(begin, self._begins[low])
            end = max(end, self._ends[high - 1])
        self._begins[low:high] = [begin]
        self._ends[low:high] = [end]
        if len(self._begins) > _INTERVALS:
            self._closed_s += self._ends.pop(0) - self._begins.pop(0)

    @property
    def length_s(self) -> float:
        """Seconds covered at least once."""
        pairs = zip(self._begins, self._ends, strict=True)
        return self._closed_s + sum(end - begin for begin, end in pairs)


class LongestChain:
    """The largest union of service intervals that any one item has.

    Holds the last 10 000 items seen; an item that comes back later than that begins a new chain.
    """

    __slots__ = ("_longest_s", "_open")

    def __init__(self) -> None:
        self._open: OrderedDict[str, Union] = OrderedDict()
        self._longest_s = 0.0

    def add(self, item_id: str, intervals: Iterable[tuple[float, float]]) -> None:
        """Adds the intervals in which an item's call was served."""
        union = self._open.get(item_id)
        if union is None:
            union = self._open[item_id] = Union()
            if len(self._open) > _OPEN_ITEMS:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(item_id)
        for begin, end in intervals:
            union.add(begin, end)
        self._longest_s = max(self._longest_s, union.length_s)

    @property
    def longest_s(self) -> float:
        """Seconds of the longest chain so far."""
        return self._longest_s
