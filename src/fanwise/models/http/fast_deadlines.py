"""The deadlines of one exchange after another, on one timer that is seldom set."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from fanwise.records import Phase, Timeouts

# A deadline that has passed is looked at again this much later: the answer may already lie in the
# socket, unread because the loop was busy (uvloop runs its timers before it polls).
_GRACE_S = 0.001


class Deadlines:
    """Watches first byte, silence and the whole attempt of the exchange under way.

    The timer is not set for each exchange. It goes off at some deadline of some exchange, often a
    past one, finds out what is due by then, and is set to that. While answers come in time an
    exchange therefore costs two comparisons.

    Args:
        loop: The loop whose timer is used.
        on_passed: Called with the deadline that passed and its length in seconds.

    Attributes:
        mark_at: When something last moved in either direction, in the loop's time.
        answering: Whether a byte of the answer has come.
        held: Whether the reader holds the answer back, so that its silence is nobody's fault.
    """

    __slots__ = (
        "_attempt_at",
        "_graced",
        "_loop",
        "_on_passed",
        "_timeouts",
        "_timer",
        "_timer_at",
        "answering",
        "held",
        "mark_at",
    )

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, on_passed: Callable[[Phase, float], None]
    ) -> None:
        self._loop = loop
        self._on_passed = on_passed
        self._timeouts: Timeouts | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._attempt_at = math.inf
        self._graced = False
        self.mark_at = 0.0
        self.answering = False
        self.held = False

    def begin(self, timeouts: Timeouts, *, started_at: float, now: float) -> None:
        """An exchange begins; its attempt did at ``started_at``, before the connection stood."""
        self._timeouts = timeouts
        self._attempt_at = started_at + timeouts.attempt_s
        self._graced = False
        self.answering = False
        self.held = False
        self.mark_at = now
        self.look_by(min(self._attempt_at, now + timeouts.first_byte_s))

    def answer_goes_on(self) -> None:
        """A part of the answer has come at ``mark_at``, and more is to come."""
        timeouts = self._timeouts
        if timeouts is not None:
            self.answering = True
            self.look_by(self.mark_at + timeouts.between_chunks_s)

    def end(self) -> None:
        """The exchange has ended. The timer stays: the next exchange will want it."""
        self._timeouts = None

    def cancel(self) -> None:
        """The connection is no more."""
        self._timeouts = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._timer_at = math.inf

    def look_by(self, at: float) -> None:
        """Sees to it that the timer goes off at ``at`` or before."""
        if at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._look)

    def _next(self, timeouts: Timeouts) -> tuple[float, Phase, float]:
        """When the next deadline passes, which it is, and its length."""
        phase: Phase = "between_chunks" if self.answering else "first_byte"
        limit_s = timeouts.between_chunks_s if self.answering else timeouts.first_byte_s
        at = math.inf if self.held else self.mark_at + limit_s
        if self._attempt_at <= at:
            return self._attempt_at, "attempt", timeouts.attempt_s
        return at, phase, limit_s

    def _look(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        timeouts = self._timeouts
        if timeouts is None:
            return
        at, phase, limit_s = self._next(timeouts)
        now = self._loop.time()
        if at > now:
            self._graced = False
            self.look_by(at)
        elif not self._graced:
            self._graced = True
            self.look_by(now + _GRACE_S)
        else:
            self._on_passed(phase, limit_s)
