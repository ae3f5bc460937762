"""How much may be retried: a bucket of tokens for each quota pool, so that no storm can form.

A retry takes tokens, its success gives them back, and a call that is served at its first attempt
adds one. While most calls succeed, retries are as good as free; where they fail the bucket runs
dry, and then fewer retries than a small share of the successes go out. The rule is that of the AWS
SDKs ("standard" retry mode), here with one bucket a pool and the tokens of a call given back
together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fanwise.records import VerdictKind

TRANSIENT_COST: Final = 14.0
THROTTLE_COST: Final = 5.0
FIRST_TRY_GAIN: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTokens:
    """A bucket at one moment.

    Args:
        most: What it holds at most; ``math.inf`` for no bound.
        left: What is left in it.
    """

    most: float
    left: float

    def take(self, cost: float) -> RetryTokens | None:
        """The bucket after a retry; ``None`` where too little is left."""
        if math.isinf(self.most):
            return self
        return replace(self, left=self.left - cost) if self.left >= cost else None

    def served(self, held: float) -> RetryTokens:
        """The bucket after a call was served.

        Args:
            held: What its retries had taken; 0 where its first attempt was served.
        """
        gain = held or FIRST_TRY_GAIN
        if self.left >= self.most:
            return self
        return replace(self, left=min(self.most, self.left + gain))


def cost_of(kind: VerdictKind) -> float:
    """What the retry after an attempt of this end costs."""
    if kind == "infrastructure":
        return TRANSIENT_COST
    return THROTTLE_COST if kind in {"rate", "capacity"} else 0.0
