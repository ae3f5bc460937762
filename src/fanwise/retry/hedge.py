"""Hedging: a second send of a call that stalls. Rules on plain values, off unless asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from fanwise.durations import duration_s
from fanwise.errors import ConfigError

LEAST_SEEN: Final = 20  # sends before their quantile says anything
_LEAST: Final = 1e-9
_HINT: Final = "write Hedge(after_s=5), or Hedge(quantile=0.95) of what such calls took so far"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """When a call that shows nothing yet is sent a second time, and how often at most.

    Whichever send is answered first counts, and the other one is cancelled. It may have been paid
    for all the same, so that its price is counted too. After Jeffrey Dean and Luiz André Barroso,
    "The Tail at Scale" (Communications of the ACM 56, 2013).

    Args:
        after_s: Seconds without a first token after which a send is hedged, above 0. A call that
            is not streamed shows nothing before its whole answer.
        quantile: Instead, the share of earlier sends of that model that took no longer, from 0.5
            to below 1; nothing is hedged before 20 of them have ended.
        max_share: Hedges among all sends that were not hedges, above 0 to 1. One is always allowed.
        max_usd: What hedges may cost in all, above 0; ``None`` for no bound of their own. The
            run's budget holds for them as for every send.

    Raises:
        ConfigError: A value is impossible, or not exactly one of the first two was given.
    """

    after_s: float | None = None
    quantile: float | None = None
    max_share: float = 0.05
    max_usd: Decimal | float | None = None

    def __post_init__(self) -> None:
        if (self.after_s is None) == (self.quantile is None):
            given = "both after_s and quantile" if self.after_s else "neither after_s nor quantile"
            raise ConfigError(f"a hedge has {given}", hint=_HINT)
        bounds: tuple[tuple[str, object, float, float, str], ...] = (
            ("after_s", self.after_s, _LEAST, math.inf, "seconds above 0"),
            ("quantile", self.quantile, 0.5, 1.0, "from 0.5 to below 1"),
            ("max_share", self.max_share, _LEAST, 1.0 + _LEAST, "above 0, at most 1"),
            ("max_usd", self.max_usd, _LEAST, math.inf, "dollars above 0"),
        )
        for name, value, least, below, bound in bounds:
            if value is None:
                continue
            if not _within(value, least, below):
                raise ConfigError(f"{name}={value!r} is impossible", hint=f"give {name}, {bound}")


def _within(value: object, least: float, below: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return least <= value < below


def wait_s(hedge: Hedge, *, seen: int, quantile_s: float | None) -> float | None:
    """After how long without a token a send is hedged; ``None`` where that is not known yet.

    Args:
        hedge: What was asked for.
        seen: Sends of that kind that have ended.
        quantile_s: The quantile of what they took.
    """
    if hedge.after_s is not None:
        return hedge.after_s
    return quantile_s if seen >= LEAST_SEEN else None


def allows(
    hedge: Hedge, *, sends: int, hedges: int, spent_usd: Decimal, next_usd: Decimal | None
) -> bool:
    """Whether one more hedge stays within the bounds.

    Args:
        hedge: The bounds.
        sends: Sends so far that were not hedges.
        hedges: Hedges so far.
        spent_usd: What those may have cost.
        next_usd: What the next one may cost; ``None`` where nobody knows.
    """
    if hedges + 1 > max(1.0, hedge.max_share * sends):
        return False
    if hedge.max_usd is None:
        return True
    return next_usd is not None and spent_usd + next_usd <= Decimal(str(hedge.max_usd))


def read_hedge(text: str) -> Hedge:
    """A hedge as the command line takes it: ``5s``, ``800ms``, or ``p95`` for a quantile.

    Raises:
        ConfigError: It is neither.
    """
    said = text.strip().lower()
    if said[:1] == "p":
        try:
            return Hedge(quantile=float(said[1:]) / 100)
        except ValueError:
            pass
    elif (found := duration_s(said)) is not None:
        return Hedge(after_s=found)
    raise ConfigError(
        f"{text!r} is no hedge", hint="give a time without a token (5s), or a percentile (p95)"
    )
