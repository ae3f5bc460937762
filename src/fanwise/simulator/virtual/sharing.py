"""Processor sharing: all requests in work go on at once, and the more there are, the slower each.

One number is kept, the service that every request present has received so far; a request ends when
that number has grown by what it needs. So arrivals and ends cost O(log n), however many there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanwise.simulator.virtual.course import Course
    from fanwise.simulator.virtual.provider import Timers

_ROUNDING_S = 1e-9


class Sharing:
    """Requests that share a capacity.

    Args:
        capacity: How many go on at full speed.
        timers: Virtual time.
        course: How the capacity moves; looked at when somebody comes or goes.
    """

    def __init__(self, capacity: float, *, timers: Timers, course: Course) -> None:
        self._capacity = capacity
        self._timers = timers
        self._course = course
        self._received_s = 0.0
        self._at = timers.time()
        self._speed = 1.0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._count = 0
        self._turn = 0

    def add(self, service_s: float, end: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Begins a request that needs so much service; ``end(*args)`` is called at its end."""
        self._go_on()
        self._count += 1
        heapq.heappush(self._heap, (self._received_s + service_s, self._count, end, args))
        self._plan()

    def _go_on(self) -> None:
        now = self._timers.time()
        self._received_s += (now - self._at) * self._speed
        self._at = now

    def _plan(self) -> None:
        """Sets the timer for the next end, at the speed that holds from now on."""
        if not self._heap:
            return
        capacity = self._capacity * self._course.at(self._at)
        self._speed = min(1.0, capacity / len(self._heap))
        self._turn += 1
        left_s = max(0.0, self._heap[0][0] - self._received_s) / self._speed
        self._timers.call_at(self._at + left_s, self._ring, self._turn)

    def _ring(self, turn: int) -> None:
        if turn != self._turn:
            return  # somebody came meanwhile
        self._go_on()
        ended: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        while self._heap and self._heap[0][0] <= self._received_s + _ROUNDING_S:
            _, _, end, args = heapq.heappop(self._heap)
            ended.append((end, args))
        self._plan()
        for end, args in ended:
            end(*args)
