"""How many requests a second a provider takes, learned from its refusals.

A refusal says that the provider's bucket is empty at that moment. So between two refusals it took
in exactly what was sent and not refused, unless the bucket ran over in between: admitted requests
divided by the time from one to the other are a lower bound of the rate, and the very rate while
requests kept coming. That is measured instead of guessed; what follows a measurement is CUBIC's
growth (RFC 9438), whose place of rest is the rate last measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_ENOUGH = 20  # admitted requests that make a measurement
_AGREE = 1.25  # upper by lower bound from which a measurement counts as exact
_HOLDS_S = 1.0  # a bucket of less is rare
_CUT = 0.9
_DEEPEST_CUT = 0.7  # where even the upper bound of what was seen is below the usual cut
_CLOSE = 1.02
_NEAR = 1.05
_FLOOR = 0.75
_FIRST_SPAN_S = 0.25
_FIRST_CUT = 0.7  # what came before the first refusal was a burst in part
_DOUBLING_S = 1.0
_CUBIC = 0.2
_EVEN_PER_S = 3.0
_MOST_EAGER = 3.0
_SLOWEST_S = 30.0
_FASTEST_S = 3.0
_PROBE_EVERY = 200.0
_NEW_GROUND = 1.1
_SLOWEST_PER_S = 1 / 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen from one refusal to a later one.

    Args:
        admitted: Requests sent in between and not refused; where tokens are counted, what they
            weighed, the mean request weighing 1.
        span_s: Seconds from one refused send to the other; from the first send of all to the first
            refusal where there was none before.
        closed_s: Seconds of these in which the gate was closed.
        refusals: Into how many parts refusals divide it, at least 1.
        recent_per_s: Requests a second admitted lately; 0 where that is unknown.
        anchored: Whether the span began with a refusal too.
        uneven: Whether a part of it rose (see :attr:`rose`).
        weight: What the refused one weighs.
        spare: What the bucket must have held at some instant, if its average is the rate.
        held: What it was once seen to hold.
    """

    admitted: float
    span_s: float
    closed_s: float = 0.0
    refusals: int = 1
    recent_per_s: float = 0.0
    anchored: bool = True
    uneven: bool = False
    weight: float = 1.0
    spare: float = 0.0
    held: float = 0.0

    @property
    def rose(self) -> bool:
        """Whether so much more was taken at its end than before that a bucket may have run over.

        Then the average is but a lower bound.
        """
        low = self.admitted / max(self.span_s, 1e-3)
        return self.uneven or self.spare > max(self.held, low * _HOLDS_S)

    @property
    def enough(self) -> bool:
        """Whether so much was admitted that a measurement of it means something."""
        return self.admitted >= _ENOUGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A learned rate.

    Args:
        per_s: Requests a second to send; ``math.inf`` while nothing was refused.
        peak_per_s: The rate last measured.
        start_per_s: What was sent right after that.
        sure: Whether that measurement is exact enough to rest at.
        measured: Whether there was ever such a measurement.
        bound_s: Seconds since it in which this rate was what held requests back.
        margin: The share of the measured rate that is left alone at first.
    """

    per_s: float = math.inf
    peak_per_s: float = math.inf
    start_per_s: float = math.inf
    sure: bool = False
    measured: bool = False
    bound_s: float = 0.0
    margin: float = 0.03


def found(per_s: float) -> Rate:
    """A rate that was reached, but may be exceeded: it doubles until the next refusal."""
    return _at(Rate(), per_s, sure=False)


def at(per_s: float) -> Rate:
    """A rate that requests were sent at, before any rate was learned."""
    return Rate(per_s=max(per_s, _SLOWEST_PER_S), peak_per_s=per_s)


def refused(rate: Rate, evidence: Evidence) -> Rate:
    """The rate after the first refusal of an epoch.

    The measurement is trusted where its bounds agree. Where they do not, the rate is sought halfway
    between them (on a scale of ratios), and never above nine tenths of what was just refused.
    """
    seen = evidence
    span_s = max(seen.span_s, 1e-3)
    if not seen.anchored or rate.per_s == math.inf:
        return _at(rate, _FIRST_CUT * (seen.admitted + 1) / max(span_s, _FIRST_SPAN_S), sure=False)
    high = (seen.admitted + seen.weight) / max(span_s - seen.closed_s, 1e-3)
    low = seen.admitted / span_s
    cut = rate.per_s * _CUT
    if seen.enough and high <= low * _AGREE:
        return _measured(rate, seen, low=low)
    if seen.admitted >= _ENOUGH / 2:
        return _at(rate, min(cut, math.sqrt(low * max(low, min(high, cut)))), sure=False)
    deep = max(
        (seen.admitted + 2 * seen.weight) / max(span_s - seen.closed_s, 1e-3),
        rate.per_s * _DEEPEST_CUT,
    )
    return _at(rate, min(cut, deep), sure=False)


def _measured(rate: Rate, seen: Evidence, *, low: float) -> Rate:
    """The rate where what was admitted a second is the provider's own rate, or close below it."""
    cut = rate.per_s * _CUT
    if seen.refusals > 1 and not seen.uneven:
        # Refused again at what was measured: it has fallen since, and the measurement is behind.
        behind = rate.per_s <= low * _CLOSE
        below = max(min(low, cut), low * _FLOOR) if behind else low
        return _at(rate, low, per_s=below * (1.0 - rate.margin), sure=True)
    lately = cut if seen.uneven else min(seen.recent_per_s, rate.per_s)
    if seen.rose:
        return _at(rate, math.sqrt(low * max(low, lately)), sure=False)
    near = min(max(low, lately), low * _NEAR)
    return _at(replace(rate, margin=_margin(rate, seen)), near, sure=True)


def _at(rate: Rate, measured: float, *, sure: bool, per_s: float | None = None) -> Rate:
    measured = max(measured, _SLOWEST_PER_S)
    below = measured * (1.0 - rate.margin) if per_s is None else per_s
    return Rate(
        per_s=max(below, _SLOWEST_PER_S),
        peak_per_s=measured,
        start_per_s=below,
        sure=sure,
        measured=rate.measured or sure,
        margin=rate.margin,
    )


def _margin(rate: Rate, seen: Evidence) -> float:
    """Refused too often at a rate that was measured: keep further away. Hardly ever: go closer."""
    if not rate.sure:
        return rate.margin
    if seen.admitted < 70:
        return min(0.12, rate.margin * 1.25)
    return max(0.01, rate.margin * 0.9) if seen.admitted > 150 else rate.margin


def grown(rate: Rate, *, elapsed_s: float) -> Rate:
    """The rate after some seconds in which it, and nothing else, held requests back.

    Near a measured rate it grows as CUBIC does: fast towards it, hardly at all around it, and ever
    faster beyond it. A rate that is no measurement yet, or has been left behind by a tenth, doubles
    instead until the next refusal.
    """
    if rate.per_s == math.inf:
        return rate
    bound_s = rate.bound_s + elapsed_s
    if not rate.sure:
        if bound_s * rate.per_s < _ENOUGH / 2:
            return replace(rate, bound_s=bound_s)
        doubling_s = max(_DOUBLING_S, _ENOUGH / rate.per_s) * (1.0 + rate.measured)
        return replace(rate, per_s=rate.per_s * 2.0 ** (elapsed_s / doubling_s), bound_s=bound_s)
    peak = rate.peak_per_s
    rest_s = min(_SLOWEST_S, max(_FASTEST_S, _PROBE_EVERY / peak))
    away = bound_s / rest_s - 1.0
    depth = 1.0 - rate.start_per_s / peak
    # Shares of one limit become equal where a small one grows by more of itself than a large one.
    beyond = _CUBIC * min(_MOST_EAGER, max(1.0 / _MOST_EAGER, math.sqrt(_EVEN_PER_S / peak)))
    per_s = peak * (1.0 + (depth if away < 0 else beyond) * away**3)
    return replace(
        rate,
        per_s=max(rate.per_s, per_s),
        bound_s=bound_s,
        sure=per_s <= peak * _NEW_GROUND,
    )
