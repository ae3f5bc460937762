"""Whether more at once still brings more, for providers that never refuse but queue.

Judged by the work done a second, never by the length of an answer's wait alone: long answers are no
sign of a queue. What is done a second by so many in flight is their number times what one of them
gets done in its time, so that each round of answers says it by itself (Little's law). The question
is that of TCP Vegas and of Netflix's Gradient: does the time grow as fast as the number?
"""

from __future__ import annotations

from dataclasses import dataclass

_LEAST_ANSWERS = 50
_WIDER = 1.4  # a round is compared once it had so many times as much in flight
_WORTH = 0.2  # of the growth expected, what has to be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The answers to requests that were sent under much the same concurrency.

    Args:
        answers: How many.
        work: Output tokens in all; one for each answer that does not say.
        busy_s: Seconds they took, summed.
        in_flight: Requests in flight when each was sent, summed.
    """

    answers: int = 0
    work: float = 0.0
    busy_s: float = 0.0
    in_flight: float = 0.0

    @property
    def width(self) -> float:
        """Mean requests in flight."""
        return self.in_flight / self.answers

    @property
    def throughput(self) -> float:
        """Work done a second."""
        return self.width * self.work / self.busy_s if self.busy_s else 0.0

    @property
    def enough(self) -> bool:
        """Whether it has answers enough to be compared."""
        return self.answers >= max(_LEAST_ANSWERS, self.width)


def comparable(before: Round, after: Round) -> bool:
    """Whether the later round had so much more in flight that it should show."""
    return after.width >= _WIDER * before.width


def stalled(before: Round, after: Round) -> bool:
    """Whether more in flight brought hardly more."""
    expected = after.width / before.width - 1.0
    return after.throughput < before.throughput * (1.0 + _WORTH * expected)
