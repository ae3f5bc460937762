"""Quantiles of a stream in bounded memory."""

from __future__ import annotations

import math

# Two neighbouring bucket bounds differ by this factor; a value is told to half of that: 1 %.
_GROWTH = 1.02
_LOG_GROWTH = math.log(_GROWTH)
_SMALLEST = 1e-6
_BUCKETS = math.ceil(math.log(1e6 / _SMALLEST) / _LOG_GROWTH) + 1


class Sketch:
    """Quantiles of positive values to within 1 % of the value, whatever the distribution.

    Values from 1 µs to 10⁶ s fall into logarithmic buckets (at most 1 397 of them); what lies
    outside counts as the nearer of the two. After DDSketch (Masson, Rim, Lee: VLDB 2019).
    """

    __slots__ = ("_counts", "count", "largest", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.largest = 0.0

    def add(self, value: float) -> None:
        """Counts one value. Costs O(1)."""
        place = math.ceil(math.log(max(value, _SMALLEST) / _SMALLEST) / _LOG_GROWTH)
        place = min(place, _BUCKETS - 1)
        self._counts[place] = self._counts.get(place, 0) + 1
        self.count += 1
        self.total += value
        self.largest = max(self.largest, value)

    def quantile(self, q: float) -> float | None:
        """The value below which a share ``q`` (0 to 1) of all values lies; ``None`` of none.

        The nearest-rank definition: the smallest value with at least ``q`` of all at or below it.
        """
        if not self.count:
            return None
        rank = max(1, math.ceil(q * self.count))
        seen = 0
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= rank:
                return min(_middle(place), self.largest)
        raise AssertionError("the counts of a sketch add up to its count")


def _middle(place: int) -> float:
    # The point that is equally far, as a ratio, from every value of the bucket.
    return _SMALLEST * _GROWTH**place * 2.0 / (1.0 + _GROWTH)
