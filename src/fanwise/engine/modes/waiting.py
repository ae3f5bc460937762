"""Entries that wait for their turn, and how packs are cut from them."""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush

from fanwise.engine.modes.entries import Entry


class Waiting:
    """A queue in the order of turns.

    Args:
        size: Most entries of a pack.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[Entry] = []
        self._present: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, entry: Entry) -> None:
        """One more waits."""
        heappush(self._heap, entry)

    def pop(self) -> Entry:
        """The first; it need not wait any more."""
        return heappop(self._heap)

    def present(self, entry: Entry) -> None:
        """An entry has come, of a pack that is cut at a fixed place of the source."""
        self._present[self._pack_of(entry)] += 1

    def full(self, *, cut: bool, nothing_comes: bool) -> bool:
        """Whether a pack can be taken.

        Args:
            cut: Packs are cut at fixed places of the source, whatever needs nothing any more.
            nothing_comes: The last one need not be full.
        """
        if not self._heap or nothing_comes:
            return bool(self._heap)
        if cut:
            return self._present[self._pack_of(self._heap[0])] == self._size
        return len(self._heap) >= self._size

    def take(self, *, cut: bool) -> list[Entry]:
        """The first pack, without those that have left meanwhile."""
        heap = self._heap
        pack = self._pack_of(heap[0])
        entries: list[Entry] = []
        while heap and len(entries) < self._size:
            if cut and self._pack_of(heap[0]) != pack:
                break
            entry = heappop(heap)
            if entry.silent or entry.waits():
                entries.append(entry)
        self._present.pop(pack, None)
        return entries

    def _pack_of(self, entry: Entry) -> int:
        return entry.turn // self._size
