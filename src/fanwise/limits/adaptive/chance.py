"""Refusals that come by chance, however little is sent: told from those of a limit by a trial.

A limit that is kept below refuses hardly anything, and the rules that learn one rely on it. Some
providers refuse a few requests in a hundred whatever is sent (an overloaded part of theirs, a lying
proxy). Each such refusal would cut the rate once more, without an end. So where refusals have come
in quick succession, and going slower brought no fewer, more is sent for a trial: if
the share of refusals stays, the limits were not their cause and grow again; if it rises, everything
goes back to what it was, and the next trial is put off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

Said = Literal["heed", "try", "go on", "ignore", "back"]

_ROW: Final = 8  # cuts that make a row …
_SHORT: Final = 70  # … where fewer requests than this lie between each two of them
_FALLEN: Final = 0.6  # of what the limits were when the row began
_COMMON: Final = 0.15  # a larger share of refusals is no chance
_STAGE: Final = 75
_WORSE: Final = 1.5
_SLACK: Final = 4.0
_LONGEST_REST: Final = 512
BETTER: Final = 1.3  # times what was taken before


@dataclass(frozen=True, slots=True)
class Cut:
    """A refusal that cut a limit: its request's number, the refusals until then, the limits."""

    number: int
    refusals: int
    rate: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """What is known of refusals by chance.

    Args:
        cuts: The latest cuts, oldest first, as many as make a row.
        refusals: All refusals; in a trial, those of its present stage.
        since: In a trial, the number of the request with which its present stage began.
        share: In a trial, the share of refusals before it; else 0.
        rest: Rows of cuts to wait after a trial that failed; four times as many after each.
        resting: Cuts until the next trial may be.
    """

    cuts: tuple[Cut, ...] = ()
    refusals: int = 0
    since: int = 0
    share: float = 0.0
    rest: int = 1
    resting: int = 0


def refused(
    chance: Chance, *, number: int, first: bool, rate: float, width: float
) -> tuple[Chance, Said]:
    """What a refusal says, and what to do about the limits.

    Args:
        chance: What is known.
        number: How many requests had been sent with the refused one.
        first: Whether it is the first of its epoch, which would cut a limit.
        rate: Requests a second that are allowed; ``math.inf`` where any number.
        width: The same of requests at once.

    Returns:
        What is known now; and ``heed`` to cut as ever, ``try`` to begin a trial, ``ignore`` and
        ``go on`` (which keeps what the trial has reached) within one, ``back`` where it failed.
    """
    chance = replace(chance, refusals=chance.refusals + 1)
    if not first:
        return chance, "heed"
    if chance.share:
        return _in_trial(chance, number=number)
    cuts = (*chance.cuts[-_ROW:], Cut(number, chance.refusals, rate, width))
    chance = replace(chance, cuts=cuts, resting=max(0, chance.resting - 1))
    share = 0.0 if chance.resting else _share_by_chance(cuts)
    if not share:
        return chance, "heed"
    return Chance(since=number, share=share, rest=chance.rest), "try"


def _share_by_chance(cuts: tuple[Cut, ...]) -> float:
    """The share of refusals in a row of cuts that brought no fewer of them; 0 for no such row."""
    oldest, latest = cuts[0], cuts[-1]
    sent = latest.number - oldest.number
    if len(cuts) <= _ROW or any(b.number - a.number >= _SHORT for a, b in pairwise(cuts)):
        return 0.0
    fallen = (
        latest.rate <= _FALLEN * oldest.rate < math.inf
        or latest.width <= _FALLEN * oldest.width < math.inf
    )
    share = (latest.refusals - oldest.refusals) / max(1, sent)
    return share if fallen and share <= _COMMON else 0.0


def taken(trial: Chance, *, sent: int) -> float:
    """How many of the requests of a trial's stage were not refused."""
    return max(0.0, sent - trial.refusals - 1.0)


def failed(chance: Chance, *, better: bool) -> Chance:
    """When the next trial may be, after one that failed.

    Args:
        chance: What is known after it.
        better: Whether more was taken in it than before: the limits had fallen by chance as well.
    """
    rest = 1 if better else min(_LONGEST_REST, 4 * chance.rest)
    return replace(chance, rest=rest, resting=0 if better else rest * _ROW)


def _in_trial(chance: Chance, *, number: int) -> tuple[Chance, Said]:
    sent = max(0, number - chance.since)
    if chance.refusals > _SLACK + _WORSE * chance.share * sent:
        return Chance(rest=chance.rest), "back"
    if sent < max(_STAGE, 3.0 / chance.share):
        return chance, "ignore"
    return replace(chance, since=number, refusals=0, rest=1), "go on"
