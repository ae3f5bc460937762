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
_CUT = 0.9
_FIRST_CUT = 0.7  # what came before the first refusal was a burst in part
_DOUBLING_S = 1.0
_CUBIC = 0.1
_SLOWEST_S = 30.0
_FASTEST_S = 4.0
_PROBE_EVERY = 250.0  # requests between two probes
_NEW_GROUND = 1.1
_SLOWEST_PER_S = 1 / 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen between one refusal and the next.

    Args:
        admitted: Requests sent in between and not refused.
        span_s: Seconds from one refused send to the other; from the first send of all to the first
            refusal where there was none before.
        closed_s: Seconds of these in which the gate was closed.
        recent_per_s: Requests a second admitted lately (at most 15 s); 0 where that is unknown.
        anchored: Whether the span began with a refusal too.
    """

    admitted: int
    span_s: float
    closed_s: float = 0.0
    recent_per_s: float = 0.0
    anchored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A learned rate.

    Args:
        per_s: Requests a second to send; ``math.inf`` while nothing was refused.
        peak_per_s: The rate last measured.
        sure: Whether that measurement is exact enough to rest at.
        bound_s: Seconds since it in which this rate was what held requests back.
        margin: The share of the measured rate that is left alone at first.
    """

    per_s: float = math.inf
    peak_per_s: float = math.inf
    sure: bool = False
    bound_s: float = 0.0
    margin: float = 0.03


def refused(rate: Rate, evidence: Evidence) -> Rate:
    """The rate after the first refusal of an epoch.

    The measurement is trusted where its bounds agree. Where they do not, the rate is sought halfway
    between them (on a scale of ratios), and never above nine tenths of what was just refused.
    """
    seen = evidence
    span_s = max(seen.span_s, 1e-3)
    high = (seen.admitted + 1) / max(span_s - seen.closed_s, 1e-3)
    if not seen.anchored or rate.per_s == math.inf:
        return _at(rate, high * _FIRST_CUT, sure=False)
    low = seen.admitted / span_s
    cut = rate.per_s * _CUT
    margin = _margin(rate.margin, seen.admitted)
    if seen.admitted >= _ENOUGH and high <= low * _AGREE:
        measured = max(low, min(seen.recent_per_s, rate.per_s))
        return _at(replace(rate, margin=margin), measured, sure=True)
    if seen.admitted >= _ENOUGH / 2:
        return _at(rate, min(cut, math.sqrt(low * max(low, min(high, cut)))), sure=False)
    return _at(rate, cut, sure=False)


def _at(rate: Rate, measured: float, *, sure: bool) -> Rate:
    measured = max(measured, _SLOWEST_PER_S)
    return Rate(
        per_s=measured * (1.0 - rate.margin),
        peak_per_s=measured,
        sure=sure,
        margin=rate.margin,
    )


def _margin(margin: float, admitted: int) -> float:
    """Refused too often: keep further away. Hardly ever: go closer."""
    if admitted < 70:
        return min(0.25, margin * 1.25)
    return max(0.01, margin * 0.9) if admitted > 150 else margin


def grown(rate: Rate, *, elapsed_s: float) -> Rate:
    """The rate after some seconds in which it, and nothing else, held requests back.

    Near a measured rate it grows as CUBIC does: fast towards it, hardly at all around it, and ever
    faster beyond it. A rate that is no measurement yet, or has been left behind by a tenth, doubles
    instead until the next refusal.
    """
    if rate.per_s == math.inf:
        return rate
    if not rate.sure:
        doubling_s = max(_DOUBLING_S, _ENOUGH / rate.per_s)
        return replace(rate, per_s=rate.per_s * 2.0 ** (elapsed_s / doubling_s))
    bound_s = rate.bound_s + elapsed_s
    peak = rate.peak_per_s
    rest_s = min(_SLOWEST_S, max(_FASTEST_S, _PROBE_EVERY / peak))
    away = bound_s / rest_s - 1.0
    per_s = peak * (1.0 + (rate.margin if away < 0 else _CUBIC) * away**3)
    return replace(
        rate,
        per_s=max(rate.per_s, per_s),
        bound_s=bound_s,
        sure=per_s <= peak * _NEW_GROUND,
    )
