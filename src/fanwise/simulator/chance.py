"""Chance that does not depend on the order in which requests arrive.

Every draw is a hash of what it is for: the seed, the request's content and a name. Two runs with
the same seed and the same requests therefore meet the same latencies and the same faults, whatever
ran first.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()
_SCALE = 2.0**-64


def digest(*parts: str | bytes | int) -> int:
    """64 bits of a hash over the parts; each part is kept apart from the next."""
    state = blake2b(digest_size=8)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return int.from_bytes(state.digest(), "big")


def uniform(*parts: str | bytes | int) -> float:
    """A number in (0, 1), evenly spread over what is hashed."""
    return (digest(*parts) + 0.5) * _SCALE


def lognormal(mean: float, sigma: float, *parts: str | bytes | int) -> float:
    """A draw from the lognormal distribution of that mean.

    Args:
        mean: The distribution's mean, at least 0, in any unit.
        sigma: Standard deviation of its logarithm; 0 always gives the mean.
        parts: What the draw is for.
    """
    if mean <= 0.0 or sigma <= 0.0:
        return max(0.0, mean)
    # The open interval keeps inv_cdf finite; a rounding to 1.0 would not be.
    place = min(uniform(*parts), 1.0 - 1e-12)
    return mean * math.exp(sigma * _NORMAL.inv_cdf(place) - sigma * sigma / 2.0)
