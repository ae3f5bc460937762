"""Whether a provider counts requests or their tokens, told by which requests it refuses.

Two things tell them apart, and both say nothing where all requests weigh the same:

* *Who is refused.* A bucket of tokens that runs low is overdrawn by a large request sooner than by
  a small one: whoever is refused is drawn in proportion to its weight. A bucket of requests refuses
  without looking. So the odds of the two are multiplied by the refused one's weight over the mean.
* *What stayed the same.* Between any two refusals a bucket takes in what flows into it. Of requests
  a second and tokens a second, that one is the limit which hardly differs from stretch to stretch.

The odds are kept as a sum of logarithms between two bounds, each of them a decision (Wald's
sequential test; the bounds let it change its mind, as in Page's CUSUM).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["requests", "tokens"]

_SURE = 3.0  # twenty to one
_MEMORY = 2.0  # what earlier evidence counts at most against new evidence
_MOST_AT_ONCE = 2.0
_JITTER = 0.03  # of a measured rate, beside what its two ends make uncertain
_TAILS = 3.0  # degrees of freedom of Student's t: a limit that moved is no argument for either


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What was taken from one refusal to the next.

    Args:
        requests: How many.
        tokens: What they weighed.
        span_s: Seconds.
    """

    requests: float
    tokens: float
    span_s: float

    @property
    def telling(self) -> bool:
        """Whether it is long enough to be compared."""
        return self.requests >= 10 and self.tokens > 0 and self.span_s > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is believed to be counted.

    Args:
        unit: That.
        score: The logarithm of the odds for tokens, as far as it counts.
    """

    unit: Unit = "requests"
    score: float = 0.0


def refused(choice: Choice, *, weight: float, mean_weight: float) -> Choice:
    """The choice after a request of that weight was the first one refused.

    Says something only while requests leave at an even pace. Where they are paced by their tokens,
    a large one has waited until there was enough for it.
    """
    if choice.unit == "tokens" or weight <= 0 or mean_weight <= 0:
        return choice
    return _weigh(choice, math.log(weight / mean_weight))


def measured(choice: Choice, *, before: Stretch, after: Stretch) -> Choice:
    """The choice after two stretches, one after the other."""
    if not (before.telling and after.telling):
        return choice
    requests = _log_ratio(after.requests, before.requests) - _log_ratio(after.span_s, before.span_s)
    tokens = _log_ratio(after.tokens, before.tokens) - _log_ratio(after.span_s, before.span_s)
    ends = 2.0 * (before.requests**-2 + after.requests**-2)
    scale = _TAILS * (_JITTER**2 + ends)
    odds = (1.0 + requests**2 / scale) / (1.0 + tokens**2 / scale)
    return _weigh(choice, (_TAILS + 1.0) / 2.0 * math.log(odds))


def _weigh(choice: Choice, argument: float) -> Choice:
    score = choice.score + max(-_MOST_AT_ONCE, min(_MOST_AT_ONCE, argument))
    if choice.unit == "requests":
        score = max(-_MEMORY, score)
        return (
            Choice(unit="tokens", score=_MEMORY) if score >= _SURE else replace(choice, score=score)
        )
    score = min(_MEMORY, score)
    return (
        Choice(unit="requests", score=-_MEMORY) if score <= -_SURE else replace(choice, score=score)
    )


def _log_ratio(one: float, other: float) -> float:
    return math.log(one / other)
