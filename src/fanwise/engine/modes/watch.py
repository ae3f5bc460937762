"""What a mode has done of late, and the failures that may still be run again."""

from __future__ import annotations

from collections import deque

from fanwise.engine.modes.entries import Entry


class Watch:
    """The latest ends of one mode, with the failures that wait for a verdict.

    Args:
        size: How many ends it looks back on.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._ends: deque[tuple[bool, Entry | None]] = deque()
        self.failed = 0
        self.held = 0

    @property
    def ended(self) -> int:
        """Ends it looks back on."""
        return len(self._ends)

    def add(self, *, ok: bool, held: Entry | None = None) -> Entry | None:
        """Notes an end; returns the failure that has thereby become final, if any."""
        self._ends.append((ok, held))
        self.failed += not ok
        self.held += held is not None
        if len(self._ends) <= self._size:
            return None
        was_ok, entry = self._ends.popleft()
        self.failed -= not was_ok
        self.held -= entry is not None
        return entry

    def take(self) -> list[Entry]:
        """The failures that wait, in order; the next mode begins with a clean record."""
        held = [entry for _, entry in self._ends if entry is not None]
        self._ends.clear()
        self.failed = self.held = 0
        return held
