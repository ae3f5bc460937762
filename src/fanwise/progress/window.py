"""Sums over the last few seconds, in a fixed number of buckets."""

from __future__ import annotations


class SlidingSum:
    """Items and tokens of about the last ``window_s`` seconds.

    A ring of equal buckets: adding costs O(1), memory does not depend on what is added. What is
    older than the window leaves it bucket by bucket.

    Args:
        start: The instant counting begins, in seconds.
        window_s: Length of the window, in seconds, above 0.
        buckets: Into how many it is cut, at least 2.
    """

    __slots__ = ("_bucket_s", "_buckets", "_index", "_items", "_start", "_tokens")

    def __init__(self, *, start: float, window_s: float = 10.0, buckets: int = 40) -> None:
        self._start = start
        self._bucket_s = window_s / buckets
        self._buckets = buckets
        self._index = 0
        self._items = [0] * buckets
        self._tokens = [0] * buckets

    def add(self, now: float, *, items: int = 0, tokens: int = 0) -> None:
        """Counts something that happened at ``now``."""
        index = int((now - self._start) / self._bucket_s)
        if index > self._index:
            self._forget(index)
        slot = self._index % self._buckets
        self._items[slot] += items
        self._tokens[slot] += tokens

    def _forget(self, index: int) -> None:
        for passed in range(max(self._index + 1, index - self._buckets + 1), index + 1):
            self._items[passed % self._buckets] = 0
            self._tokens[passed % self._buckets] = 0
        self._index = index

    def rates(self, now: float) -> tuple[float, float]:
        """Items and tokens a second over the window, or over the time since the start if less."""
        self.add(now)
        whole_s = (self._buckets - 1) * self._bucket_s
        in_bucket_s = now - self._start - self._index * self._bucket_s
        covered_s = min(now - self._start, whole_s + max(0.0, in_bucket_s))
        if covered_s <= 0.0:
            return 0.0, 0.0
        return sum(self._items) / covered_s, sum(self._tokens) / covered_s
